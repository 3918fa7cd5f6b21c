"""What a document may ask for, decided on the syntax tree before any SQL runs.

Rows are counted as a page could fetch them: each list its `first`, multiplied down the tree, through fragments and
variables; leaves are free. A document is weighed once; only the rows that its variables ask for are counted again for
each request. A fragment is weighed once, whatever the number of its spreads, so that weighing is linear.
"""

import re
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

from api.errors import ApiError, limit_exceeded, unstorable
from api.projection import One, Page, Relation
from api.projection.selections import declared

MOST_BODY_BYTES = 256 * 1024
MOST_CHARACTERS = 50_000  # of a document: graphql-core reads strings and comments one by one
MOST_TOKENS = 2_000
MOST_NAME = 100  # characters of a name or number: errors repeat them
MOST_DEFINITIONS = 100  # operations and fragments of one document
MOST_DIRECTIVES = 100
MOST_DEPTH = 12  # `edges` and `node` of connections not counted
MOST_ALIASES = 30
MOST_ROOTS = 10
MOST_ROWS = 5_000
MOST_LISTS = 1_500  # of a document, those of fragments counted where they are spread
MOST_FIELDS = 4_000  # of a document, those of fragments counted where they are spread
MOST_VALUES = 500  # items of all lists and objects in the variables or literals of one operation
MOST_ERRORS = 10
MOST_KNOWN = 64  # counts of rows that are remembered for one operation
MOST_RESPONSE_BYTES = 2 * 1024 * 1024
MOST_INTROSPECTION_DEPTH = 20
MOST_BRACES = 2 * MOST_INTROSPECTION_DEPTH + 2  # open at once: no document within the depth has more
SENSITIVE = frozenset({"openMemberToken", "revealContact", "exportMember"})  # at most one of them a document

STEPS = {"{": 1, "}": -1, "[": 1, "]": -1}
WRAPPERS = frozenset({"edges", "node"})
# An open string is a token too: what is scanned once is not scanned again.
TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|#[^\n]*|[\w-]+|\.\.\.|[^\s,\w]', re.DOTALL
)

ESCAPED_NUL = re.compile(r"\\u(?:0000|\{0+\})")


def refused_text(text: str) -> ApiError | None:
    """What the text alone says: a document that is far too long or deep is not even parsed."""
    if len(text) > MOST_CHARACTERS:
        return limit_exceeded("characters", MOST_CHARACTERS)
    tokens = depth = directives = definitions = 0
    for found in TOKEN.finditer(text):
        mark = found.group()
        if mark[0] == "#":
            continue
        tokens += 1
        if tokens > MOST_TOKENS:
            return limit_exceeded("tokens", MOST_TOKENS)
        if mark in STEPS:
            definitions += mark == "{" and depth == 0
            depth += STEPS[mark]
            if depth > MOST_BRACES:
                return limit_exceeded("depth", MOST_DEPTH)
        elif mark == "@":
            directives += 1
        elif len(mark) > MOST_NAME and mark[0] != '"':
            return limit_exceeded("name", MOST_NAME)
    if directives > MOST_DIRECTIVES:
        return limit_exceeded("directives", MOST_DIRECTIVES)
    if definitions > MOST_DEFINITIONS:
        return limit_exceeded("definitions", MOST_DEFINITIONS)
    return unstorable() if "\\u" in text and ESCAPED_NUL.search(text) else None


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of a selection: how many (a number, or a variable and its default), and the lists inside each of them."""

    first: int | tuple[str, int]
    inside: "tuple[Rows, ...]"


@dataclass(slots=True)
class Weight:
    """What a selection asks for, per row of its parent."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    values: int = 0  # items of literal lists and objects
    rows: tuple[Rows, ...] = ()
    scaling: frozenset[str] | None = None  # the variables that say how many rows; None: not looked for yet
    known: dict[tuple[int, ...], int] = field(default_factory=dict)

    def fetched(self, variables: Mapping[str, Any]) -> int:
        """Rows that the plan could fetch with these variables. Remembered for the numbers that were met."""
        if self.scaling is None:
            self.scaling = frozenset(_scaling(self.rows, set()))
        numbers = tuple(_number(variables, name, 0) for name in self.scaling)
        found = self.known.get(numbers)
        if found is None:
            found = _fetched(self.rows, variables, {})
            if len(self.known) < MOST_KNOWN:
                self.known[numbers] = found
        return found


def _number(variables: Mapping[str, Any], name: str, default: int) -> int:
    """How many a variable says; what is no positive number counts as its default."""
    value = variables.get(name, default)
    return value if type(value) is int and value > 0 else default


def _scaling(rows: tuple[Rows, ...], seen: set[int]) -> Iterator[str]:
    for one in rows:
        if id(one) not in seen:
            seen.add(id(one))
            if isinstance(one.first, tuple):
                yield one.first[0]
            yield from _scaling(one.inside, seen)


def _fetched(rows: tuple[Rows, ...], variables: Mapping[str, Any], known: dict[int, int]) -> int:
    found = 0
    for one in rows:
        if id(one) not in known:
            first = one.first
            if isinstance(first, tuple):
                first = _number(variables, *first)
            known[id(one)] = first * (1 + _fetched(one.inside, variables, known))
        found += known[id(one)]
    return found


@dataclass(slots=True)
class Scales:
    """Weighs one operation of a document that is well-formed but perhaps not valid."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    defaults: Mapping[str, int]
    weighed: dict[tuple[str, bool], Weight] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)

    def of(self, selections: SelectionSetNode | None, parent: Any, *, introspects: bool = False) -> Weight:
        total, rows = Weight(), list[Rows]()
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
            total.fields += weight.fields
            total.values += weight.values
            if len(weight.rows) + len(rows) > MOST_LISTS:
                rows = [Rows(MOST_ROWS + 1, ())]  # fragments that double: too many whatever they ask for
            else:
                rows += weight.rows
        total.rows = tuple(rows)
        return total

    def _field(self, node: FieldNode, parent: Any, *, introspects: bool) -> Weight:
        name = node.name.value
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        known = fields.get(name)
        inside = introspects or name in ("__schema", "__type")
        below = self.of(node.selection_set, get_named_type(known.type) if known else None, introspects=inside)
        is_wrapper = (name in WRAPPERS and parent is not None and "cursor" in fields) or name == "edges"
        first = self._rows(node, declared(known) if known else None)
        return Weight(
            depth=below.depth + (0 if is_wrapper else 1),
            aliases=below.aliases + (1 if node.alias and node.alias.value != name else 0),
            rows=(Rows(first, below.rows),) if first else below.rows,
            fields=below.fields + 1,
            values=below.values + sum(_items(argument.value) for argument in node.arguments or ()),
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

    def _rows(self, node: FieldNode, source: Any) -> int | tuple[str, int]:
        if isinstance(source, Page):
            return self._first(node, 1)  # a page without `first` is not valid
        if isinstance(source, Relation):
            return self._first(node, source.first) if source.first is not None else 1
        return 1 if isinstance(source, One) else 0

    def _first(self, node: FieldNode, default: int) -> int | tuple[str, int]:
        for argument in node.arguments or ():
            if argument.name.value != "first":
                continue
            if isinstance(argument.value, IntValueNode):
                return max(min(int(argument.value.value[:9]), 10**6), 1)
            if isinstance(argument.value, VariableNode):
                name = argument.value.name.value
                return name, self.defaults.get(name, default)
        return default

    def _type(self, name: str | None, default: Any) -> Any:
        return self.schema.type_map.get(name) if name is not None else default


def weigh(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Weight | ApiError:
    """What the operation asks for, or why it may not run whatever its variables are."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    definitions = operation.variable_definitions or ()
    defaults = {
        definition.variable.name.value: max(int(definition.default_value.value[:9]), 1)
        for definition in definitions
        if isinstance(definition.default_value, IntValueNode)
    }
    scales = Scales(schema, fragments, defaults)
    weight = scales.of(operation.selection_set, schema.get_root_type(operation.operation))
    introspects = any(_introspects(node) for node in (operation, *fragments.values()))
    roots = list(_root_names(operation.selection_set, fragments, set()))
    values = weight.values + sum(_items(definition.default_value) for definition in definitions)
    for limit, found, allowed in (
        ("roots", len(roots), MOST_ROOTS),
        ("depth", weight.depth, MOST_INTROSPECTION_DEPTH if introspects else MOST_DEPTH),
        ("aliases", weight.aliases, MOST_ALIASES),
        ("rows", weight.fetched({}), MOST_ROWS),
        ("fields", weight.fields, MOST_FIELDS),
        ("values", values, MOST_VALUES),
        ("sensitive", sum(name in SENSITIVE for name in roots), 1),
    ):
        if found > allowed:
            return limit_exceeded(limit, allowed)
    return weight


def refused_variables(weight: Weight, variables: Mapping[str, Any]) -> ApiError | None:
    """Why the operation may not run with these variables, None when it may."""
    found = _values(variables)
    if found is None:
        return unstorable()
    if found > MOST_VALUES:
        return limit_exceeded("values", MOST_VALUES)
    if weight.fetched(variables) > MOST_ROWS:
        return limit_exceeded("rows", MOST_ROWS)
    return None


def _introspects(node: Any) -> bool:
    selections = getattr(node, "selection_set", None)
    return selections is not None and any(
        isinstance(child, FieldNode) and child.name.value in ("__schema", "__type") for child in selections.selections
    )


def _root_names(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], seen: set[str]
) -> Iterator[str]:
    """Root fields through fragments; a fragment that is spread again adds none."""
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            yield from _root_names(node.selection_set, fragments, seen)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen and node.name.value in fragments:
            seen.add(node.name.value)
            yield from _root_names(fragments[node.name.value].selection_set, fragments, seen)


def _values(value: Any) -> int | None:
    """Items of a JSON value, all levels together, None where a text holds NUL; counting stops beyond the limit."""
    found, waiting = 0, [value]
    while waiting and found <= MOST_VALUES:
        item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item:
                return None
            continue
        if isinstance(item, int):
            continue
        inner = list(item.values()) if isinstance(item, Mapping) else item if isinstance(item, list) else []
        found += len(inner)
        waiting.extend(inner)
    return found


def _items(value: Node | None) -> int:
    """Items of a literal list or object, all levels together."""
    found, waiting = 0, [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ListValueNode):
            found += len(node.values)
            waiting.extend(node.values)
        elif isinstance(node, ObjectValueNode):
            found += len(node.fields)
            waiting.extend(one.value for one in node.fields)
    return found
