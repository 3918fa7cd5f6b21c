"""From a validated selection to one parameterised statement that answers JSON, keyed as the response is.

Values are always bound, never spliced; names come from declarations; response keys are GraphQL names. Hidden keys start
with `#`, which GraphQL cannot spell.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    SelectionSetNode,
    get_named_type,
)
from strawberry import Schema
from strawberry.types.arguments import convert_arguments

from api.errors import bad_user_input
from api.projection import cursors
from api.projection.declarations import (
    MOST_ROWS,
    SOURCE,
    TYPES,
    UNIONS,
    Ask,
    Computed,
    Identifier,
    Page,
    Relation,
    Rows,
    Source,
    Value,
    render,
)
from api.projection.selections import Selections, below

MOST_PAIRS = 49  # json_build_object takes 100 arguments
MOST_COUNTED = 10_000  # rows that totalCount counts
KIND = "#"  # hidden: the row's type, where the selection may ask for it
AUDITED = "#audited"  # hidden: what the operation's audit row will name

Conditions = Callable[[str], Sequence[str]]


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


class Planner:
    """Plans one root field, mutation payload or subscription event."""

    def __init__(self, schema: Schema, selections: Selections, ask: Ask) -> None:
        self.schema = schema
        self.selections = selections
        self.ask = ask

    # Statements

    def row(self, type_name: str, conditions: Conditions, sets: list[SelectionSetNode], *, kind: bool) -> Plan:
        """At most one row of a type."""
        alias, rows = self.ask.alias(), TYPES[type_name]
        where = [*conditions(alias), *self._scope(rows, alias)]
        sql, shape = self._object(type_name, alias, sets, kind=kind)
        return self._plan(f"SELECT {sql}::text FROM {rows.table} {alias} WHERE {_all(where)} LIMIT 1", shape)

    def rows(self, type_name: str, keys: Sequence[object], sets: list[SelectionSetNode]) -> Plan:
        """The rows with these keys, in their order, null for those that cannot be seen."""
        alias, rows = self.ask.alias(), TYPES[type_name]
        keys_sql = self.ask(list(keys), "uuid[]")
        where = [f"{alias}.id = wanted.id", *self._scope(rows, alias)]
        sql, shape = self._object(type_name, alias, sets)
        return self._plan(
            f"SELECT json_agg((SELECT {sql} FROM {rows.table} {alias} WHERE {_all(where)}) ORDER BY wanted.n)::text "
            f"FROM unnest({keys_sql}) WITH ORDINALITY AS wanted(id, n)",
            shape,
        )

    def page(self, of: GraphQLField, nodes: list[FieldNode]) -> Plan:
        """A connection at the root."""
        source = declared(of)
        assert isinstance(source, Page)
        sql, shape = self._page(source, of, nodes, source_type="", source_alias="")
        return self._plan(f"SELECT {sql}::text", shape)

    def arguments(self, of: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """The field's arguments as Python values, by their Python names."""
        definition = of.extensions["strawberry-definition"]
        return convert_arguments(
            self.selections.arguments(of, node),
            definition.arguments,
            scalar_registry=self.schema.schema_converter.scalar_registry,
            config=self.schema.config,
        )

    def _plan(self, sql: str, shape: Shape) -> Plan:
        return Plan(sql, self.ask.parameters, shape)

    # Objects

    def _object(
        self, type_name: str, alias: str, sets: Iterable[SelectionSetNode], *, kind: bool = False
    ) -> tuple[str, Shape]:
        core = self.schema._schema.type_map[type_name]  # noqa: SLF001
        assert isinstance(core, GraphQLObjectType)
        pairs: list[tuple[str, str]] = [(KIND, f"'{type_name}'")] if kind else []
        shape, needs = Shape(), {}
        for key, nodes in self.selections.fields(core, sets).items():
            of = core.fields[nodes[0].name.value]
            source = declared(of)
            assert source is not None, f"{type_name}.{nodes[0].name.value} is not declared"
            if not self._is_readable(of, source):
                continue  # its resolver answers FORBIDDEN
            if isinstance(source, Computed):
                shape.fills.append((key, source, self.arguments(of, nodes[0])))
                needs[source.family.name] = source.family
            else:
                sql, child = self._value(type_name, alias, of, source, nodes)
                pairs.append((key, sql))
                shape.child(key, child)
        for family in needs.values():
            values = [(name, render(sql, self.ask, alias)) for name, sql in family.needs.items()]
            pairs.append((f"#{family.name}", _json_object(values)))
        audit = TYPES[type_name].audit
        if audit is not None and audit.of(self.ask.actor):
            pairs.append((AUDITED, f"{alias}.{audit.column}"))
            shape.audited = type_name
        return _json_object(pairs), shape

    def _value(
        self, type_name: str, alias: str, of: GraphQLField, source: Source, nodes: list[FieldNode]
    ) -> tuple[str, Shape]:
        if isinstance(source, Value):
            return _wire(of, render(source.sql, self.ask, alias)), Shape()
        if isinstance(source, Identifier):
            return f"'{type_name}:' || {alias}.id", Shape()
        if isinstance(source, Page):
            return self._page(source, of, nodes, type_name, alias)
        assert isinstance(source, Relation)
        return self._relation(source, of, nodes, type_name, alias)

    def _is_readable(self, of: GraphQLField, source: Source) -> bool:
        return all(self.ask.actor.may(permission) for permission in permissions_of(of, source))

    # Relations

    def _relation(
        self, source: Relation, of: GraphQLField, nodes: list[FieldNode], source_type: str, source_alias: str
    ) -> tuple[str, Shape]:
        target, alias = get_named_type(of.type).name, self.ask.alias()
        rows = TYPES[target]
        where = [
            *_joined(source.on, alias, source_alias),
            *self._also(source.where, alias, source_alias),
            *self._scope(rows, alias, source_type, source.on),
        ]
        sql, shape = self._object(target, alias, below(nodes))
        order = f" ORDER BY {render(source.order, self.ask, alias)}" if source.order else ""
        picked = f"SELECT {sql} AS j FROM {rows.table} {alias} WHERE {_all(where)}{order}"
        if source.first is None:
            return f"({picked} LIMIT 1)", shape
        first = self._first(self.arguments(of, nodes[0]))
        return f"(SELECT coalesce(json_agg(r.j), '[]') FROM ({picked} LIMIT {first}) r)", shape

    def _page(
        self, source: Page, of: GraphQLField, nodes: list[FieldNode], source_type: str, source_alias: str
    ) -> tuple[str, Shape]:
        arguments = self.arguments(of, nodes[0])
        after = arguments.pop("after", None)
        connection = get_named_type(of.type)
        assert isinstance(connection, GraphQLObjectType)
        target = _node_type(connection).name

        def conditions(alias: str) -> list[str]:
            return [
                *_joined(source.on, alias, source_alias),
                *self._also(source.where, alias, source_alias),
                *(source.find(self.ask, alias, **arguments) if source.find else ()),
                *self._target_scope(target, alias, source_type, source.on),
            ]

        alias, fields = self.ask.alias(), self.selections.fields(connection, below(nodes))
        pairs, shape = [], Shape()
        # A count alone has no page: an unused parameter would be refused.
        is_paged = any(inner[0].name.value != "totalCount" for inner in fields.values())
        first = self._first(arguments) if is_paged else ""
        arguments.pop("first")
        for key, inner in fields.items():
            name = inner[0].name.value
            if name == "totalCount":
                pairs.append((key, self._count(target, conditions)))
                continue
            if name == "edges":
                sql, child = self._edges(source, connection, target, alias, inner, first)
                shape.child(key, child)
            else:
                sql = self._page_info(source, connection, alias, inner, first, has_after=after is not None)
            pairs.append((key, sql))
        if not is_paged:
            return _json_object(pairs), shape
        where = conditions(alias)
        if after is not None:
            where.append(cursors.after_sql(source.key, alias, after, self.ask))
        order = cursors.order_by(source.key, alias)
        page = (
            f'SELECT {alias}.*, row_number() OVER (ORDER BY {order}) AS "#n" FROM {_table(target)} {alias} '
            f"WHERE {_all(where)} ORDER BY {order} LIMIT {first} + 1"
        )
        return f"(SELECT {_json_object(pairs)} FROM ({page}) {alias})", shape

    def _edges(
        self, source: Page, connection: GraphQLObjectType, target: str, alias: str, nodes: list[FieldNode], first: str
    ) -> tuple[str, Shape]:
        edge = get_named_type(connection.fields["edges"].type)
        assert isinstance(edge, GraphQLObjectType)
        pairs, shape = [], Shape()
        for key, inner in self.selections.fields(edge, below(nodes)).items():
            if inner[0].name.value == "cursor":
                pairs.append((key, cursors.cursor_sql(source.key, alias)))
            else:
                sql, child = self._node(target, alias, below(inner))
                pairs.append((key, sql))
                shape.child(key, child)
        row = _json_object(pairs)
        return (
            f'coalesce(json_agg({row} ORDER BY {alias}."#n") FILTER (WHERE {alias}."#n" <= {first}), \'[]\')',
            shape,
        )

    def _page_info(
        self,
        source: Page,
        connection: GraphQLObjectType,
        alias: str,
        nodes: list[FieldNode],
        first: str,
        *,
        has_after: bool,
    ) -> str:
        info = get_named_type(connection.fields["pageInfo"].type)
        assert isinstance(info, GraphQLObjectType)
        cursor = cursors.cursor_sql(source.key, alias)
        shown = f'FILTER (WHERE {alias}."#n" <= {first})'
        values = {
            "hasNextPage": f"count(*) > {first}",
            "hasPreviousPage": "true" if has_after else "false",
            "startCursor": f'(array_agg({cursor} ORDER BY {alias}."#n") {shown})[1]',
            "endCursor": f'(array_agg({cursor} ORDER BY {alias}."#n" DESC) {shown})[1]',
        }
        return _json_object(
            [(key, values[inner[0].name.value]) for key, inner in self.selections.fields(info, below(nodes)).items()]
        )

    def _count(self, target: str, conditions: Conditions) -> str:
        alias = self.ask.alias()
        counted = f"SELECT 1 FROM {_table(target)} {alias} WHERE {_all(conditions(alias))} LIMIT {MOST_COUNTED}"
        return f"(SELECT count(*) FROM ({counted}) counted)"

    def _node(self, target: str, alias: str, sets: list[SelectionSetNode]) -> tuple[str, Shape]:
        """A row of the target; of a union, what its kind says."""
        union = UNIONS.get(target)
        if union is None:
            return self._object(target, alias, sets)
        cases, shape = [], Shape()
        for kind, type_name in union.arms.items():
            if not self._may_read(TYPES[type_name]):
                continue
            arm = self.ask.alias()
            sql, child = self._object(type_name, arm, sets, kind=True)
            cases.append(
                f"WHEN '{kind}' THEN (SELECT {sql} FROM {TYPES[type_name].table} {arm} WHERE {arm}.id = {alias}.id)"
            )
            if not child.is_done:
                shape.arms[type_name] = child
        return f"CASE {alias}.{union.kind} {' '.join(cases)} END" if cases else "NULL::json", shape

    # Conditions

    def _target_scope(self, target: str, alias: str, source_type: str, on: tuple[tuple[str, str], ...]) -> list[str]:
        union = UNIONS.get(target)
        if union is None:
            return self._scope(TYPES[target], alias, source_type, on)
        proof = union.implied_by.get(source_type)
        assert proof is not None, f"{target} is only reached from where its scope is implied"
        assert set(proof) <= set(on), f"{target} is only reached over the columns that imply its scope"
        kinds = [kind for kind, name in union.arms.items() if self._may_read(TYPES[name])]
        return [f"{alias}.{union.kind} = ANY({self.ask(kinds, 'text[]')})"]

    def _scope(self, rows: Rows, alias: str, source_type: str = "", on: tuple[tuple[str, str], ...] = ()) -> list[str]:
        if rows.scope is None:
            return []
        proof = rows.scope.implied_by.get(source_type)
        if proof is not None and set(proof) <= set(on):
            return []
        return [rows.scope.condition(self.ask, alias)]

    def _may_read(self, rows: Rows) -> bool:
        return rows.permission is None or self.ask.actor.may(rows.permission)

    def _also(self, where: Any, alias: str, source_alias: str) -> list[str]:
        if not where:
            return []
        return [render(where, self.ask, alias).replace("{s}", source_alias)]

    def _first(self, arguments: dict[str, Any]) -> str:
        first = arguments["first"]
        if not 1 <= first <= MOST_ROWS:
            raise bad_user_input(f"`first` is from 1 to {MOST_ROWS}.")
        return self.ask(first, "bigint")


def permissions_of(of: GraphQLField, source: Source) -> list[Any]:
    """What an actor needs to read a field: its own permission and that of the type it leads to."""
    found = [source.permission] if source.permission is not None else []
    named: GraphQLNamedType = get_named_type(of.type)
    if isinstance(source, Page):
        assert isinstance(named, GraphQLObjectType)
        named = _node_type(named)
    rows = TYPES.get(named.name)
    if rows is not None and rows.permission is not None:
        found.append(rows.permission)
    return found


def _node_type(connection: GraphQLObjectType) -> GraphQLNamedType:
    edge = get_named_type(connection.fields["edges"].type)
    assert isinstance(edge, GraphQLObjectType)
    node: GraphQLNamedType = get_named_type(edge.fields["node"].type)
    return node


def _table(target: str) -> str:
    return UNIONS[target].table if target in UNIONS else TYPES[target].table


def _joined(on: tuple[tuple[str, str], ...], alias: str, source_alias: str) -> list[str]:
    return [f"{alias}.{theirs} = {source_alias}.{ours}" for theirs, ours in on]


def _all(conditions: Sequence[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


def _wire(of: GraphQLField, sql: str) -> str:
    """The JSON form that the SDL promises: decimals as text; the rest is PostgreSQL's own JSON, in UTC."""
    return f"({sql})::text" if get_named_type(of.type).name == "Decimal" else sql


def _json_object(pairs: Sequence[tuple[str, str]]) -> str:
    """The JSON object of (key, SQL), in order; more than one call's worth are joined as text."""
    if len(pairs) <= MOST_PAIRS:
        arguments = ", ".join(f"'{key}', {sql}" for key, sql in pairs)
        return f"json_build_object({arguments})"
    chunks = [_json_object(pairs[start : start + MOST_PAIRS]) for start in range(0, len(pairs), MOST_PAIRS)]
    inside = " || ', ' || ".join(f"left(substr({chunk}::text, 2), -1)" for chunk in chunks)
    return f"('{{' || {inside} || '}}')::json"
