"""What an operation selects: fields merged by response key; fragments, type conditions, @skip and @include applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
    get_argument_values,
    get_directive_values,
)
from graphql.execution.values import VariableValues


@dataclass(frozen=True, slots=True)
class Selections:
    """The reader of one validated operation."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues

    def fields(self, of: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """Response key -> the field's nodes, in the order of the answer. Without `__typename`."""
        found: dict[str, list[FieldNode]] = {}
        for selections in sets:
            self._collect(of, selections, found, set())
        return found

    def arguments(self, field: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """The field's coerced arguments, by their GraphQL names."""
        return get_argument_values(field, node, self.variables)

    def _collect(
        self, of: GraphQLObjectType, selections: SelectionSetNode, found: dict[str, list[FieldNode]], seen: set[str]
    ) -> None:
        for node in selections.selections:
            if not self._is_wanted(node):
                continue
            if isinstance(node, FieldNode):
                if node.name.value != "__typename":
                    found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or self._applies(node.type_condition.name.value, of):
                    self._collect(of, node.selection_set, found, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self.fragments[node.name.value]
                if self._applies(fragment.type_condition.name.value, of):
                    self._collect(of, fragment.selection_set, found, seen)

    def _is_wanted(self, node: Any) -> bool:
        if not node.directives:
            return True
        skip = get_directive_values(GraphQLSkipDirective, node, self.variables)
        include = get_directive_values(GraphQLIncludeDirective, node, self.variables)
        return not (skip and skip["if"]) and not (include and not include["if"])

    def _applies(self, condition: str, of: GraphQLObjectType) -> bool:
        if condition == of.name:
            return True
        named = self.schema.type_map.get(condition)
        return isinstance(named, GraphQLAbstractType) and self.schema.is_sub_type(named, of)


def below(nodes: Iterable[FieldNode]) -> list[SelectionSetNode]:
    """The selection sets under a field."""
    return [node.selection_set for node in nodes if node.selection_set is not None]
