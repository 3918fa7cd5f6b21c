"""What an operation selects: fields merged by response key; fragments, type conditions, @skip and @include applied.

And what a field of the built schema says of itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_directive_values,
    get_named_type,
)
from graphql.execution.values import VariableValues
from strawberry import Schema

from api.arguments import Arguments, reader
from api.projection import SOURCE, TYPES, One, Page, Source

MOST_SHAPES = 64  # of one operation


@dataclass(frozen=True, slots=True)
class Selections:
    """The reader of one validated operation. `variables` decide @skip and @include, and nothing else."""

    schema: Schema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues
    readers: dict[int, Arguments] = field(default_factory=dict)

    def fields(self, of: GraphQLObjectType, sets: Iterable[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """Response key -> the field's nodes, in the order of the answer."""
        found: dict[str, list[FieldNode]] = {}
        for selections in sets:
            self._collect(of, selections, found, set())
        return found

    def arguments(self, of: GraphQLField, node: FieldNode) -> Arguments:
        """How to read the field's arguments. Literals are read once; a variable of a plain scalar is a look-up."""
        known = self.readers.get(id(node))
        if known is None:
            known = self.readers[id(node)] = reader(self.schema, of, node, self.variables)
        return known

    def _collect(
        self, of: GraphQLObjectType, selections: SelectionSetNode, found: dict[str, list[FieldNode]], seen: set[str]
    ) -> None:
        for node in selections.selections:
            if not self._is_wanted(node):
                continue
            if isinstance(node, FieldNode):
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
        core = self.schema._schema  # noqa: SLF001
        named = core.type_map.get(condition)
        return isinstance(named, GraphQLAbstractType) and core.is_sub_type(named, of)


@dataclass(frozen=True, slots=True)
class Root:
    """A root field of one shape of an operation."""

    key: str
    nodes: list[FieldNode]
    of: GraphQLField | None  # None: __typename and introspection
    source: One | Page | None
    arguments: Arguments | None

    @property
    def is_abstract(self) -> bool:
        return isinstance(self.source, One) and self.source.type_of is not None


@dataclass(slots=True, eq=False)
class Operation:
    """An operation of a valid document, with what of it never changes."""

    schema: Schema
    document: DocumentNode
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    deciding: tuple[str, ...] = ()
    roots: dict[tuple[object, ...], tuple[Root, ...]] = field(default_factory=dict)
    readers: dict[int, Arguments] = field(default_factory=dict)  # of its nodes' arguments

    def __post_init__(self) -> None:
        self.deciding = deciding_variables([self.node, *self.fragments.values()])

    def shape_of(self, variables: VariableValues) -> tuple[object, ...]:
        return tuple(variables.coerced.get(name) for name in self.deciding)

    def roots_of(self, variables: VariableValues) -> tuple[Root, ...]:
        shape = self.shape_of(variables)
        found = self.roots.get(shape)
        if found is None:
            selections = Selections(self.schema, self.fragments, variables, self.readers)
            query = self.schema._schema.query_type  # noqa: SLF001
            assert query is not None
            fields = selections.fields(query, [self.node.selection_set])
            found = tuple(_root(selections, query, key, nodes) for key, nodes in fields.items())
            if len(self.roots) < MOST_SHAPES:
                self.roots[shape] = found
        return found


def _root(selections: Selections, query: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Root:
    of = query.fields.get(nodes[0].name.value)
    if of is None:
        return Root(key, nodes, None, None, None)
    source = declared(of)
    assert isinstance(source, One | Page), f"Query.{nodes[0].name.value} is not declared"
    return Root(key, nodes, of, source, selections.arguments(of, nodes[0]))


def literal(node: FieldNode, name: str) -> ValueNode | None:
    """What stands in the document as the field's argument."""
    return next((one.value for one in node.arguments or () if one.name.value == name), None)


def below(nodes: Iterable[FieldNode]) -> list[SelectionSetNode]:
    """The selection sets under a field."""
    return [node.selection_set for node in nodes if node.selection_set is not None]


def deciding_variables(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The variables that @skip and @include read anywhere below: they change the shape of an answer."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        for directive in getattr(node, "directives", None) or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    found.add(argument.value.name.value)
        selections = getattr(node, "selection_set", None)
        waiting.extend(selections.selections if selections else ())
    return tuple(sorted(found))


def declared(of: GraphQLField) -> Source | None:
    """What the field says of itself, None for fields that the projection does not serve."""
    definition = of.extensions.get("strawberry-definition")
    metadata = getattr(definition, "metadata", None) or {}
    source: Source | None = metadata.get(SOURCE)
    return source


def permissions_of(of: GraphQLField, source: Source) -> list[Any]:
    """What an actor needs to read a field: its own permission and that of the type it leads to."""
    found = [source.permission] if source.permission is not None else []
    named: GraphQLNamedType = get_named_type(of.type)
    if isinstance(source, Page):
        assert isinstance(named, GraphQLObjectType)
        named = node_type(named)
    rows = TYPES.get(named.name)
    if rows is not None and rows.permission is not None:
        found.append(rows.permission)
    return found


def node_type(connection: GraphQLObjectType) -> GraphQLNamedType:
    edge = get_named_type(connection.fields["edges"].type)
    assert isinstance(edge, GraphQLObjectType)
    node: GraphQLNamedType = get_named_type(edge.fields["node"].type)
    return node
