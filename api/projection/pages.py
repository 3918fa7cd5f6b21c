"""Relay connections: their shapes, their keyset cursors, and how a page becomes SQL.

A cursor is the key's name and the last row's values, made by PostgreSQL and validated when it comes back.
"""

import base64
import binascii
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

import orjson
import strawberry
from graphql import FieldNode, GraphQLField, GraphQLObjectType, get_named_type

from api.arguments import Arguments
from api.errors import bad_user_input
from api.projection import UNIONS, Ask, Key, Page
from api.projection.finishing import Shape
from api.projection.selections import below, node_type
from api.projection.statements import (
    Constant,
    Row,
    Sure,
    all_of,
    checked_first,
    finding,
    joined,
    json_array,
    json_object,
    table_of,
)

if TYPE_CHECKING:
    from api.projection.planner import Planner

MOST_COUNTED = 10_000  # rows that totalCount counts
T = TypeVar("T")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether the page was asked for by `after`.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row: the next page's `after`.")


@strawberry.type(description="A row on a page, with its place.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The row.")
    cursor: str = strawberry.field(description="Its place: what `after` takes. Opaque.")


@strawberry.type(description="A page of a list in a fixed order, by keyset.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The rows of the page, in order.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="Rows of the whole list, exact up to 10,000. Costs a count.")


STRUCTURES = (PageInfo, Edge, Connection)


@dataclass(frozen=True, slots=True)
class Wish:
    """The page that is being planned."""

    planner: "Planner"
    source: Page
    connection: GraphQLObjectType
    target: str
    row: Row  # of the page
    first: str  # the placeholder of how many
    after: Callable[[Ask], str | None]
    conditions: Callable[[str], Sequence[str]]
    only: str  # the one kind of a union's rows that is asked for

    @property
    def table(self) -> str:
        return UNIONS[self.target].alone(self.only) if self.only else table_of(self.target)

    @property
    def shown(self) -> str:
        """One row more than `first` is fetched, to know whether there are more; it is never shown."""
        return f'FILTER (WHERE {self.row.alias}."#n" <= {self.first})'


def page(
    planner: "Planner", source: Page, of: GraphQLField, nodes: list[FieldNode], source_type: str, row: Row
) -> tuple[str, Shape]:
    """The connection's JSON as an SQL expression, seen from `row` (without alias at the root)."""
    arguments = planner.selections.arguments(of, nodes[0])
    connection = get_named_type(of.type)
    assert isinstance(connection, GraphQLObjectType)
    target = node_type(connection).name
    fields = planner.selections.fields(connection, below(nodes))

    def conditions(alias: str) -> list[str]:
        return [
            *joined(source.on, alias, row.alias),
            *planner.also(source.where, alias, row.alias),
            *([planner.holes(finding(source.find, arguments, alias))] if source.find else []),
            *planner.target_scope(target, alias, source_type, source.on),
        ]

    # A count alone has no page: an unused parameter would be refused, so its arguments are looked at in a hole.
    is_paged = any(inner[0].name.value in ("edges", "pageInfo") for inner in fields.values())
    first = planner.first(of, nodes[0]) if is_paged else ""
    after, only = _after(arguments), planner.only_kind(target, nodes[0])
    wish = Wish(planner, source, connection, target, Row(planner.ask.alias()), first, after, conditions, only)
    pairs, shape = _parts(wish, fields)
    if not is_paged:
        return json_object(pairs) + planner.holes(_unused(source.key, arguments)), shape
    noted = f"string_agg({wish.row.noted}, ',') {wish.shown}" if wish.row.notes else ""
    # HAVING: one row whatever is selected, where `pageInfo { hasPreviousPage }` alone aggregates nothing.
    rows = f"({_rows(wish)}) {wish.row.alias}{wish.row.joined} HAVING TRUE"
    return planner.lateral(row, json_object(pairs), noted, rows), shape


def _unused(key: Key, arguments: Arguments) -> Callable[[Ask], str]:
    """Refuses the arguments that a page would refuse; adds no text."""

    def check(ask: Ask) -> str:
        given = arguments(ask.context.variables)
        checked_first(given["first"])
        if given.get("after") is not None:
            decode(key, given["after"])
        return ""

    return check


def _after(arguments: Arguments) -> Callable[[Ask], str | None]:
    return lambda ask: arguments(ask.context.variables).get("after")


def _parts(wish: Wish, fields: dict[str, list[FieldNode]]) -> tuple[list[tuple[str, str]], Shape]:
    pairs, shape = list[tuple[str, str]](), Shape()
    for key, nodes in fields.items():
        name, sql = nodes[0].name.value, ""
        if name == "__typename":
            sql = Constant(f'"{wish.connection.name}"')
        elif name == "totalCount":
            sql = Sure(f"{_count(wish)}::text")
        elif name == "edges":
            sql, child = _edges(wish, nodes)
            shape.child(key, wish.connection.fields["edges"].type, child)
        else:
            sql = _page_info(wish, nodes)
        pairs.append((key, sql))
    return pairs, shape


def _rows(wish: Wish) -> str:
    alias, key = wish.row.alias, wish.source.key

    def after(ask: Ask) -> str:
        cursor = wish.after(ask)
        return "" if cursor is None else f" AND {after_sql(key, alias, cursor, ask)}"

    order, where = order_by(key, alias), all_of(wish.conditions(alias))
    return (
        f'SELECT {alias}.*, row_number() OVER (ORDER BY {order}) AS "#n" FROM {wish.table} {alias} '
        f"WHERE {where}{wish.planner.holes(after)} ORDER BY {order} LIMIT {wish.first} + 1"
    )


def _edges(wish: Wish, nodes: list[FieldNode]) -> tuple[str, Shape]:
    edge = get_named_type(wish.connection.fields["edges"].type)
    assert isinstance(edge, GraphQLObjectType)
    pairs, shape = list[tuple[str, str]](), Shape()
    for key, inner in wish.planner.selections.fields(edge, below(nodes)).items():
        name = inner[0].name.value
        if name == "__typename":
            pairs.append((key, Constant(f'"{edge.name}"')))
        elif name == "cursor":
            pairs.append((key, Sure(f"""'"' || {cursor_sql(wish.source.key, wish.row.alias)} || '"'""")))
        else:
            sql, child = wish.planner.node(wish.target, wish.row, below(inner), wish.only)
            pairs.append((key, sql))
            shape.child(key, edge.fields["node"].type, child)
    # Aggregated as the rows come: they are sorted, and what is joined is looked up for each.
    return json_array(json_object(pairs), shown=f" {wish.shown}"), shape


def _page_info(wish: Wish, nodes: list[FieldNode]) -> str:
    info = get_named_type(wish.connection.fields["pageInfo"].type)
    assert isinstance(info, GraphQLObjectType)
    cursor, alias = cursor_sql(wish.source.key, wish.row.alias), wish.row.alias
    values: dict[str, Callable[[], str]] = {
        "__typename": lambda: Constant('"PageInfo"'),
        "hasNextPage": lambda: Sure(f"(count(*) > {wish.first})::text"),
        "hasPreviousPage": lambda: Sure(
            wish.planner.holes(lambda ask: f"'{str(wish.after(ask) is not None).lower()}'")
        ),
        "startCursor": lambda: f"""'"' || (array_agg({cursor} ORDER BY {alias}."#n") {wish.shown})[1] || '"'""",
        "endCursor": lambda: f"""'"' || (array_agg({cursor} ORDER BY {alias}."#n" DESC) {wish.shown})[1] || '"'""",
    }
    fields = wish.planner.selections.fields(info, below(nodes))
    return json_object([(key, values[inner[0].name.value]()) for key, inner in fields.items()])


def _count(wish: Wish) -> str:
    alias = wish.planner.ask.alias()
    where = all_of(wish.conditions(alias))
    counted = f"SELECT 1 FROM {wish.table} {alias} WHERE {where} LIMIT {MOST_COUNTED}"
    return f"(SELECT count(*) FROM ({counted}) counted)"


# Cursors


def _moment(text: str) -> datetime:
    """An aware time that UTC has."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)


def _number(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError
    return found


def _whole(text: str) -> int:
    found = int(text)
    if not -(2**63) <= found < 2**63:
        raise ValueError
    return found


PARSERS: dict[str, Callable[[str], Any]] = {
    "timestamptz": _moment,
    "uuid": UUID,
    "float8": _number,
    "bigint": _whole,
    "text": str,
}


def order_by(key: Key, alias: str) -> str:
    return ", ".join(f"{alias}.{column} {direction}" for column, direction, _ in key)


def cursor_sql(key: Key, alias: str) -> str:
    """The cursor of a row: base64url of a JSON array, in one line."""
    values = ", ".join(f"{alias}.{column}::text" for column, _, _ in key)
    array = f"json_build_array('{_name(key)}', {values})::text"
    return f"translate(encode(convert_to({array}, 'UTF8'), 'base64'), E'+/=\\n', '-_')"


def after_sql(key: Key, alias: str, cursor: str, ask: Ask) -> str:
    """The condition of the rows that come after the cursor's."""
    values = [ask(value, kind) for value, (_, _, kind) in zip(decode(key, cursor), key, strict=True)]
    columns = [f"{alias}.{column}" for column, _, _ in key]
    directions = {direction for _, direction, _ in key}
    if len(directions) == 1:
        sign = "<" if directions == {"DESC"} else ">"
        return f"({', '.join(columns)}) {sign} ({', '.join(values)})"
    (first, second), (a, b) = columns, values
    far, near = ("<", ">") if key[0][1] == "DESC" else (">", "<")
    return f"({first} {far}= {a} AND ({first} {far} {a} OR {second} {near} {b}))"


def decode(key: Key, cursor: str) -> list[Any]:
    """The values of a cursor of this very key; BAD_USER_INPUT for any other text."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        array = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        name, *values = array
        if name != _name(key) or len(values) != len(key) or not all(isinstance(value, str) for value in values):
            raise ValueError
        return [PARSERS[kind](value) for value, (_, _, kind) in zip(values, key, strict=True)]
    except (ValueError, TypeError, OverflowError, UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        raise bad_user_input("This is not a cursor of this list.") from None


def _name(key: Key) -> str:
    return ",".join(f"{column}{'-' if direction == 'DESC' else '+'}" for column, direction, _ in key)
