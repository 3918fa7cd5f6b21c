"""What a document may ask for, decided on the syntax tree before any SQL runs.

Rows are counted as a page could fetch them: each list its `first`, multiplied down the tree, through fragments and
variables; leaves are free. A fragment is weighed once, whatever the number of its spreads, so that weighing is linear.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from api.errors import ApiError, limit_exceeded
from api.projection.declarations import Page, Relation
from api.projection.statements import declared

MOST_BODY_BYTES = 256 * 1024
MOST_TOKENS = 2_000
MOST_DEPTH = 12  # `edges` and `node` of connections not counted
MOST_ALIASES = 30
MOST_ROOTS = 10
MOST_ROWS = 5_000
MOST_VALUES = 500  # items of all lists and objects in the variables or literals of one operation
MOST_ERRORS = 10
MOST_RESPONSE_BYTES = 2 * 1024 * 1024
MOST_INTROSPECTION_DEPTH = 20
SENSITIVE = frozenset({"openMemberToken", "revealContact"})  # at most one of them a document

WRAPPERS = frozenset({"edges", "node"})


@dataclass(slots=True)
class Weight:
    """What a selection asks for, per row of its parent."""

    depth: int = 0
    aliases: int = 0
    rows: int = 0
    fields: int = 0


@dataclass(slots=True)
class Scales:
    """Weighs one operation of a document that is well-formed but perhaps not valid."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    weighed: dict[tuple[str, bool], Weight] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)

    def of(self, selections: SelectionSetNode | None, parent: Any, *, introspects: bool = False) -> Weight:
        total = Weight()
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                weight = self._field(node, parent, introspects=introspects)
            elif isinstance(node, InlineFragmentNode):
                named = node.type_condition.name.value if node.type_condition else None
                weight = self.of(node.selection_set, self._type(named, parent), introspects=introspects)
            else:
                assert isinstance(node, FragmentSpreadNode)
                weight = self._fragment(node.name.value, introspects=introspects)
            total.depth = max(total.depth, weight.depth)
            total.aliases += weight.aliases
            total.rows += weight.rows
            total.fields += weight.fields
        return total

    def _field(self, node: FieldNode, parent: Any, *, introspects: bool) -> Weight:
        name = node.name.value
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        known = fields.get(name)
        inside = introspects or name in ("__schema", "__type")
        below = self.of(node.selection_set, get_named_type(known.type) if known else None, introspects=inside)
        is_wrapper = (name in WRAPPERS and parent is not None and "cursor" in fields) or name == "edges"
        rows = self._rows(node, declared(known) if known else None)
        return Weight(
            depth=below.depth + (0 if is_wrapper else 1),
            aliases=below.aliases + (1 if node.alias and node.alias.value != name else 0),
            rows=rows * (1 + below.rows) if rows else below.rows,
            fields=below.fields + 1,
        )

    def _fragment(self, name: str, *, introspects: bool) -> Weight:
        """Zero inside itself: a cycle is refused by validation."""
        fragment, key = self.fragments.get(name), (name, introspects)
        if fragment is None or name in self.open:
            return Weight()
        if key not in self.weighed:
            self.open.add(name)
            parent = self._type(fragment.type_condition.name.value, None)
            self.weighed[key] = self.of(fragment.selection_set, parent, introspects=introspects)
            self.open.discard(name)
        return self.weighed[key]

    def _rows(self, node: FieldNode, source: Any) -> int:
        if isinstance(source, Page):
            return self._first(node, 1)  # a page without `first` is not valid
        if isinstance(source, Relation):
            return self._first(node, source.first) if source.first is not None else 1
        return 1 if source is not None and type(source).__name__ == "One" else 0

    def _first(self, node: FieldNode, default: int) -> int:
        for argument in node.arguments or ():
            if argument.name.value != "first":
                continue
            if isinstance(argument.value, IntValueNode):
                return min(int(argument.value.value[:9]), 10**6)
            if isinstance(argument.value, VariableNode):
                value = self.variables.get(argument.value.name.value, default)
                return value if isinstance(value, int) and value > 0 else default
        return default

    def _type(self, name: str | None, default: Any) -> Any:
        return self.schema.type_map.get(name) if name is not None else default


def refusal(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> ApiError | None:
    """Why the operation may not run, None when it may."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    defaults = {
        definition.variable.name.value: int(definition.default_value.value[:9])
        for definition in operation.variable_definitions or ()
        if isinstance(definition.default_value, IntValueNode)
    }
    scales = Scales(schema, fragments, {**defaults, **variables})
    root = schema.get_root_type(operation.operation)
    weight = scales.of(operation.selection_set, root)
    introspects = any(_introspects(node) for node in document.definitions)
    for limit, found, allowed in (
        ("roots", _roots(operation.selection_set, fragments), MOST_ROOTS),
        ("depth", weight.depth, MOST_INTROSPECTION_DEPTH if introspects else MOST_DEPTH),
        ("aliases", weight.aliases, MOST_ALIASES),
        ("rows", weight.rows, MOST_ROWS),
        ("fields", weight.fields, MOST_TOKENS * 2),
        ("values", _values(variables) + _literals(document), MOST_VALUES),
        ("sensitive", sum(name in SENSITIVE for name in _root_names(operation.selection_set, fragments)), 1),
    ):
        if found > allowed:
            return limit_exceeded(limit, allowed)
    return None


def _introspects(node: Any) -> bool:
    selections = getattr(node, "selection_set", None)
    return selections is not None and any(
        isinstance(child, FieldNode) and child.name.value in ("__schema", "__type") for child in selections.selections
    )


def _roots(selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    return sum(1 for _ in _root_names(selections, fragments))


def _root_names(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], seen: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Root fields through fragments, stopping where an operation has certainly too many."""
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _root_names(node.selection_set, fragments, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen and node.name.value in fragments:
            name = node.name.value
            yield from _root_names(fragments[name].selection_set, fragments, seen | {name})


def _values(value: Any) -> int:
    """Items of a JSON value, all levels together; counting stops beyond the limit."""
    found, waiting = 0, [value]
    while waiting and found <= MOST_VALUES:
        item = waiting.pop()
        inner = list(item.values()) if isinstance(item, Mapping) else item if isinstance(item, list) else []
        found += len(inner)
        waiting.extend(inner)
    return found


def _literals(document: DocumentNode) -> int:
    """Items of literal lists and objects; the number of tokens bounds the walk."""
    found, waiting = 0, list[Any](document.definitions)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ListValueNode):
            found += len(node.values)
        elif isinstance(node, ObjectValueNode):
            found += len(node.fields)
        for key in node.keys:
            child = getattr(node, key, None)
            waiting.extend(
                one for one in (child if isinstance(child, tuple | list) else [child]) if isinstance(one, Node)
            )
    return found
