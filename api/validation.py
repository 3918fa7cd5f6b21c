"""graphql-core's rules over a document, without what costs and says nothing: the names in its tree are not visited."""

from collections.abc import Sequence

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    ParallelVisitor,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)
from graphql.language.ast import QUERY_DOCUMENT_KEYS
from graphql.validation import ASTValidationRule, ValidationContext
from graphql.validation.validate import FragmentNestingVisitor
from graphql.validation.validation_context import VariableUsage, VariableUsageVisitor

# No rule looks at a name by itself, and half of a document's nodes are names.
KEYS = {
    kind: tuple(key for key in keys if key not in ("name", "alias", "description"))
    for kind, keys in QUERY_DOCUMENT_KEYS.items()
}


class TooManyErrors(Exception):
    """Enough was found."""


class Context(ValidationContext):
    """What rules ask of a document."""

    def get_variable_usages(self, node: OperationDefinitionNode | FragmentDefinitionNode) -> list[VariableUsage]:
        """As graphql-core's, without visiting names."""
        known = self._variable_usages.get(node)
        if known is None:
            fragment = node if isinstance(node, FragmentDefinitionNode) else None
            usages = VariableUsageVisitor(self._type_info, fragment)
            visit(node, TypeInfoVisitor(self._type_info, usages), KEYS)
            known = self._variable_usages[node] = usages.usages
        return known


def invalid(
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: Sequence[type[ASTValidationRule]],
    *,
    most_errors: int,
    hide_suggestions: bool,
) -> list[GraphQLError]:
    """What the rules find wrong with the document, at most so many errors and a word that there are more."""
    found: list[GraphQLError] = []

    def tell(error: GraphQLError) -> None:
        if len(found) >= most_errors:
            raise TooManyErrors
        found.append(error)

    type_info = TypeInfo(schema)
    context = Context(schema, document, type_info, tell, hide_suggestions)
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    visitors: list[Visitor] = [FragmentNestingVisitor(fragments), *(rule(context) for rule in rules)]
    try:
        visit(document, TypeInfoVisitor(type_info, ParallelVisitor(visitors)), KEYS)
    except TooManyErrors:
        found.append(GraphQLError("Too many validation errors, error limit reached. Validation aborted."))
    except RecursionError:  # nested more deeply than graphql-core follows
        found.append(GraphQLError("Validation aborted."))
    return found
