"""Why root fields are refused: an argument that cannot be right anywhere below one is an error of the root field.

Decided on the selection and not on rows, under no field that the actor may not read. Several reasons may be right.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_variable_values

from domain.platform.actors import Actor
from tests.api.differential.finders import Finder, Refusal, key_of
from tests.api.differential.lists import PAGES, BadCursor, read_cursor
from tests.api.differential.sights import may


def codes_of_roots(
    schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any], finder: Finder | None
) -> dict[str, set[str]]:
    """Response key of each refused root field -> the codes for which it may be refused."""
    [operation] = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    values = get_variable_values(schema, operation.variable_definitions or (), variables)
    if isinstance(values, list):
        return {}
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    assert schema.query_type is not None
    roots = Walk(schema, fragments, values, finder.actor if finder is not None else None)
    try:
        fields = roots.fields(schema.query_type, [operation.selection_set])
    except GraphQLError:  # a directive that cannot be read: there are no root fields
        return {}
    found = {
        key: set(roots.root(schema.query_type, nodes, finder))
        for key, nodes in fields.items()
        if nodes[0].name.value != "__typename"
    }
    return {key: codes for key, codes in found.items() if codes}


class Walk:
    """Reads selections as one request's variables leave them."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        values: VariableValues,
        actor: Actor | None,
    ) -> None:
        self.schema, self.fragments, self.values, self.actor = schema, fragments, values, actor

    def root(self, query: GraphQLObjectType, nodes: list[FieldNode], finder: Finder | None) -> Iterator[str]:
        name = nodes[0].name.value
        of = query.fields[name]
        if finder is None:
            yield "UNAUTHENTICATED"
            return
        assert self.actor is not None
        target = get_named_type(of.type).name
        if not may(self.actor, f"Query.{name}", target.removesuffix("Connection")):
            yield "FORBIDDEN"
            return
        try:
            given = get_argument_values(of, nodes[0], self.values)
        except GraphQLError:
            yield "BAD_USER_INPUT"
            return
        if name == "node":
            yield from self._node(given["id"], nodes)
            return
        is_read_before = name == "segmentSample"  # its rule, whatever is selected
        if name != "viewer" and (is_read_before or self._finds(of, nodes)):
            yield from finder.refusals(name, given)
        yield from self.below(f"Query.{name}", of, nodes)

    def _node(self, text: str, nodes: list[FieldNode]) -> Iterator[str]:
        try:
            type_name, _ = key_of(text)
        except Refusal as refusal:
            yield str(refusal)
            return
        named = self.schema.type_map.get(type_name)
        if not isinstance(named, GraphQLObjectType) or "Node" not in {one.name for one in named.interfaces}:
            yield "BAD_USER_INPUT"
            return
        assert self.actor is not None
        if not may(self.actor, "", type_name):
            yield "FORBIDDEN"
            return
        yield from self.inside(named, nodes)

    def _finds(self, of: GraphQLField, nodes: list[FieldNode]) -> bool:
        """A page of which only the type is asked finds nobody."""
        named = get_named_type(of.type)
        assert isinstance(named, GraphQLObjectType)
        if not named.name.endswith("Connection"):
            return True
        return any(one[0].name.value != "__typename" for one in self.fields(named, below(nodes)).values())

    def below(self, path: str, of: GraphQLField, nodes: list[FieldNode]) -> Iterator[str]:
        """What is wrong with a field's list and with everything that is selected in it."""
        named = get_named_type(of.type)
        if path in ("Baby.careCalendar", "Viewer.festivals"):
            try:
                given = get_argument_values(of, nodes[0], self.values)
                if not (_is_span(given) if "to" in given else 1 <= given["months"] <= 24):
                    yield "BAD_USER_INPUT"
            except GraphQLError:
                yield "BAD_USER_INPUT"
        if "first" in of.args:
            try:
                given = get_argument_values(of, nodes[0], self.values)
                if not 1 <= given["first"] <= 100:
                    yield "BAD_USER_INPUT"
                if path in PAGES and given.get("after") is not None:
                    read_cursor(PAGES[path], given["after"])
            except (GraphQLError, BadCursor):
                yield "BAD_USER_INPUT"
        if isinstance(named, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
            yield from self.inside(named, nodes)

    def inside(self, named: Any, nodes: list[FieldNode]) -> Iterator[str]:
        assert self.actor is not None
        if isinstance(named, GraphQLUnionType):
            for arm in named.types:
                if may(self.actor, "", arm.name):
                    yield from self.inside(arm, nodes)
            return
        for inner in self.fields(named, below(nodes)).values():
            name = inner[0].name.value
            if name == "__typename":
                continue
            of, path = named.fields[name], f"{named.name}.{name}"
            if may(self.actor, path, get_named_type(of.type).name.removesuffix("Connection")):
                yield from self.below(path, of, inner)

    # Selections

    def fields(self, of: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        found: dict[str, list[FieldNode]] = {}
        for one in sets:
            for node in self._flat(of, one):
                found.setdefault((node.alias or node.name).value, []).append(node)
        return found

    def _flat(self, of: GraphQLObjectType, selections: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selections.selections:
            if self._is_left_out(node):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            inside = self.fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(inside, InlineFragmentNode | FragmentDefinitionNode)
            condition = inside.type_condition
            if condition is None or self._is(of, condition.name.value):
                yield from self._flat(of, inside.selection_set)

    def _is_left_out(self, node: Any) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self.values)
        include = get_directive_values(GraphQLIncludeDirective, node, self.values)
        return bool((skip and skip["if"]) or (include and not include["if"]))

    def _is(self, of: GraphQLObjectType, name: str) -> bool:
        named: Any = self.schema.type_map[name]
        return named is of or (not isinstance(named, GraphQLObjectType) and self.schema.is_sub_type(named, of))


def below(nodes: Sequence[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set is not None]


def _is_span(given: dict[str, Any]) -> bool:
    """Days of the years that the Chinese calendar is known for."""
    return bool(1901 < given["from"].year < 2099) and (given["to"] - given["from"]).days in range(401)
