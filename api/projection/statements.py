"""The pieces of a statement and of a plan, and what a field of the built schema says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLField, GraphQLNamedType, GraphQLObjectType, get_named_type

from api.projection.declarations import SOURCE, TYPES, UNIONS, Computed, Page, Source

MOST_PAIRS = 49  # json_build_object takes 100 arguments
KIND = "#"  # hidden: the row's type, where the selection may ask for it
AUDITED = "#audited"  # hidden: what the operation's audit row will name


@dataclass(slots=True)
class Shape:
    """What is left to do on an object of the decoded answer: values to compute, households to audit."""

    fills: list[tuple[str, Computed, dict[str, Any]]] = field(default_factory=list)
    children: dict[str, "Shape"] = field(default_factory=dict)
    arms: dict[str, "Shape"] = field(default_factory=dict)  # of a union, by type name
    audited: str = ""  # the type, where reading it is audited

    @property
    def is_done(self) -> bool:
        return not (self.fills or self.children or self.arms or self.audited)

    def child(self, key: str, shape: "Shape") -> None:
        if not shape.is_done:
            self.children[key] = shape


@dataclass(frozen=True, slots=True)
class Plan:
    sql: str
    parameters: Sequence[object]
    shape: Shape


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


def table_of(target: str) -> str:
    return UNIONS[target].table if target in UNIONS else TYPES[target].table


def joined(on: tuple[tuple[str, str], ...], alias: str, source_alias: str) -> list[str]:
    return [f"{alias}.{theirs} = {source_alias}.{ours}" for theirs, ours in on]


def all_of(conditions: Sequence[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


def wire(of: GraphQLField, sql: str) -> str:
    """The JSON form that the SDL promises: decimals as text; the rest is PostgreSQL's own JSON, in UTC."""
    return f"({sql})::text" if get_named_type(of.type).name == "Decimal" else sql


def json_object(pairs: Sequence[tuple[str, str]]) -> str:
    """The JSON object of (key, SQL), in order; more than one call's worth are joined as text."""
    if len(pairs) <= MOST_PAIRS:
        arguments = ", ".join(f"'{key}', {sql}" for key, sql in pairs)
        return f"json_build_object({arguments})"
    chunks = [json_object(pairs[start : start + MOST_PAIRS]) for start in range(0, len(pairs), MOST_PAIRS)]
    inside = " || ', ' || ".join(f"left(substr({chunk}::text, 2), -1)" for chunk in chunks)
    return f"('{{' || {inside} || '}}')::json"
