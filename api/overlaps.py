"""Whether the fields that share a response key can be merged, told in one pass where graphql-core compares all pairs.

Its rule is quadratic in fields and in fragments. Here all fields of a response key are held against one of them: when
name, arguments and type are the same throughout, nothing can conflict, whatever their parents are. Only a document that
mixes them is left to the rule, and only when it is small.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    print_ast,
)

from api.errors import ApiError, limit_exceeded
from api.limits import MOST_FIELDS

MOST_MIXED = 1_000  # pairs of a document that mixes them: the rule takes microseconds for each
MOST_PAIRS = 10_000  # pairs of any document: the same field over and over

Selected = tuple[Any, SelectionSetNode]
"""A selection set and the type that it stands on; None when the schema knows no such type."""


@dataclass(slots=True)
class Overlaps:
    """The response keys of one document's operations, each with the fields that share it."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    fields: int = 0
    pairs: int = 0  # of fields that share a response key, and of fragments: what the rule would compare
    is_mixed: bool = False  # two fields of one response key are not plainly the same
    met: set[tuple[int, ...]] = field(default_factory=set)

    @property
    def refused(self) -> ApiError | None:
        if self.fields > MOST_FIELDS:
            return limit_exceeded("fields", MOST_FIELDS)
        most = MOST_MIXED if self.is_mixed else MOST_PAIRS
        return limit_exceeded("overlaps", most) if self.pairs > most else None

    def look_at(self, operation: OperationDefinitionNode) -> None:
        self._merge([(self.schema.get_root_type(operation.operation), operation.selection_set)])

    def _merge(self, sets: Iterable[Selected]) -> None:
        """Look at what these sets select together. What was met is not looked at again, so cycles end too."""
        found: dict[str, list[tuple[Any, FieldNode]]] = {}
        seen: set[str] = set()
        for parent, selections in sets:
            self._collect(parent, selections, found, seen)
        self.fields += sum(map(len, found.values()))
        self.pairs += len(seen) * (len(seen) - 1) // 2
        if self.fields > MOST_FIELDS:
            return  # what was weighed has no more: fragments in circles
        for fields in found.values():
            self.pairs += len(fields) * (len(fields) - 1) // 2
            below = self._below(fields)
            key = tuple(id(selections) for _, selections in below)
            if key and key not in self.met:
                self.met.add(key)
                self._merge(below)

    def _below(self, fields: list[tuple[Any, FieldNode]]) -> list[Selected]:
        """The selection sets under the fields of one response key, which are held against the first of them."""
        of, first = _type(*fields[0]), fields[0][1]
        if len(fields) > 1 and not self.is_mixed:
            name, arguments = first.name.value, _arguments(first)
            self.is_mixed = any(
                node.name.value != name or _arguments(node) != arguments or not _same(_type(parent, node), of)
                for parent, node in fields
            )
        named = get_named_type(of) if of is not None else None
        return [(named, node.selection_set) for _, node in fields if node.selection_set is not None]

    def _collect(
        self, parent: Any, selections: SelectionSetNode, found: dict[str, list[tuple[Any, FieldNode]]], seen: set[str]
    ) -> None:
        for node in selections.selections:
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append((parent, node))
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                of = self.schema.type_map.get(condition.name.value) if condition else parent
                self._collect(of, node.selection_set, found, seen)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = self.fragments.get(node.name.value)
                if fragment is not None:
                    of = self.schema.type_map.get(fragment.type_condition.name.value)
                    self._collect(of, fragment.selection_set, found, seen)


def _type(parent: Any, node: FieldNode) -> Any:
    """The field's type; None when it is not known or is a name that every type has."""
    known = parent.fields.get(node.name.value) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
    return known.type if known is not None else None


def _same(one: Any, other: Any) -> bool:
    return one is other or str(one) == str(other)


def _arguments(node: FieldNode) -> dict[str, str]:
    return {one.name.value: print_ast(one.value) for one in node.arguments or ()}
