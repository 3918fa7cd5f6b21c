"""Planning a Relay connection: one keyset page with its edges, page information and count."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphql import FieldNode, GraphQLField, GraphQLObjectType, get_named_type

from api.projection import cursors
from api.projection.declarations import Page
from api.projection.selections import below
from api.projection.statements import Shape, all_of, joined, json_object, node_type, table_of

if TYPE_CHECKING:
    from api.projection.planner import Planner

MOST_COUNTED = 10_000  # rows that totalCount counts
Conditions = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Wish:
    """The page that is being planned."""

    planner: "Planner"
    source: Page
    connection: GraphQLObjectType
    target: str
    alias: str
    first: str  # the placeholder of how many
    has_after: bool

    @property
    def shown(self) -> str:
        """One row more than `first` is fetched, to know whether there are more; it is never shown."""
        return f'FILTER (WHERE {self.alias}."#n" <= {self.first})'


def page(
    planner: "Planner",
    source: Page,
    of: GraphQLField,
    nodes: list[FieldNode],
    source_type: str,
    source_alias: str,
) -> tuple[str, Shape]:
    """The connection's JSON as an SQL expression, seen from the row `source_alias` (empty at the root)."""
    arguments = planner.arguments(of, nodes[0])
    after = arguments.pop("after", None)
    connection = get_named_type(of.type)
    assert isinstance(connection, GraphQLObjectType)
    target = node_type(connection).name
    fields = planner.selections.fields(connection, below(nodes))
    # A count alone has no page: an unused parameter would be refused.
    is_paged = any(inner[0].name.value != "totalCount" for inner in fields.values())
    first = planner.first(arguments, is_used=is_paged)
    arguments.pop("first")

    def conditions(alias: str) -> list[str]:
        return [
            *joined(source.on, alias, source_alias),
            *planner.also(source.where, alias, source_alias),
            *(source.find(planner.ask, alias, **arguments) if source.find else ()),
            *planner.target_scope(target, alias, source_type, source.on),
        ]

    wish = Wish(planner, source, connection, target, planner.ask.alias(), first, has_after=after is not None)
    pairs, shape = _parts(wish, fields, conditions)
    if not is_paged:
        return json_object(pairs), shape
    return f"(SELECT {json_object(pairs)} FROM ({_rows(wish, conditions, after)}) {wish.alias})", shape


def _parts(
    wish: Wish, fields: dict[str, list[FieldNode]], conditions: Conditions
) -> tuple[list[tuple[str, str]], Shape]:
    pairs, shape = [], Shape()
    for key, nodes in fields.items():
        name = nodes[0].name.value
        if name == "totalCount":
            sql = _count(wish, conditions)
        elif name == "edges":
            sql, child = _edges(wish, nodes)
            shape.child(key, child)
        else:
            sql = _page_info(wish, nodes)
        pairs.append((key, sql))
    return pairs, shape


def _rows(wish: Wish, conditions: Conditions, after: str | None) -> str:
    alias, key = wish.alias, wish.source.key
    where = list(conditions(alias))
    if after is not None:
        where.append(cursors.after_sql(key, alias, after, wish.planner.ask))
    order = cursors.order_by(key, alias)
    return (
        f'SELECT {alias}.*, row_number() OVER (ORDER BY {order}) AS "#n" FROM {table_of(wish.target)} {alias} '
        f"WHERE {all_of(where)} ORDER BY {order} LIMIT {wish.first} + 1"
    )


def _edges(wish: Wish, nodes: list[FieldNode]) -> tuple[str, Shape]:
    edge = get_named_type(wish.connection.fields["edges"].type)
    assert isinstance(edge, GraphQLObjectType)
    pairs, shape = [], Shape()
    for key, inner in wish.planner.selections.fields(edge, below(nodes)).items():
        if inner[0].name.value == "cursor":
            pairs.append((key, cursors.cursor_sql(wish.source.key, wish.alias)))
        else:
            sql, child = wish.planner.node(wish.target, wish.alias, below(inner))
            pairs.append((key, sql))
            shape.child(key, child)
    return f"coalesce(json_agg({json_object(pairs)} ORDER BY {wish.alias}.\"#n\") {wish.shown}, '[]')", shape


def _page_info(wish: Wish, nodes: list[FieldNode]) -> str:
    info = get_named_type(wish.connection.fields["pageInfo"].type)
    assert isinstance(info, GraphQLObjectType)
    cursor, alias = cursors.cursor_sql(wish.source.key, wish.alias), wish.alias
    values = {
        "hasNextPage": f"count(*) > {wish.first}",
        "hasPreviousPage": "true" if wish.has_after else "false",
        "startCursor": f'(array_agg({cursor} ORDER BY {alias}."#n") {wish.shown})[1]',
        "endCursor": f'(array_agg({cursor} ORDER BY {alias}."#n" DESC) {wish.shown})[1]',
    }
    fields = wish.planner.selections.fields(info, below(nodes))
    return json_object([(key, values[inner[0].name.value]) for key, inner in fields.items()])


def _count(wish: Wish, conditions: Conditions) -> str:
    alias = wish.planner.ask.alias()
    where = all_of(conditions(alias))
    counted = f"SELECT 1 FROM {table_of(wish.target)} {alias} WHERE {where} LIMIT {MOST_COUNTED}"
    return f"(SELECT count(*) FROM ({counted}) counted)"
