"""From a validated selection to one parameterised statement that answers JSON, keyed as the response is.

Values are always bound, never spliced; names come from declarations; response keys are GraphQL names. Hidden keys start
with `#`, which GraphQL cannot spell.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    SelectionSetNode,
    get_named_type,
)
from strawberry import Schema
from strawberry.types.arguments import convert_arguments

from api.errors import bad_user_input
from api.projection import connections
from api.projection.declarations import (
    MOST_ROWS,
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
from api.projection.statements import (
    AUDITED,
    KIND,
    Plan,
    Shape,
    all_of,
    declared,
    joined,
    json_object,
    permissions_of,
    wire,
)

Conditions = Callable[[str], Sequence[str]]


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
        return self._plan(f"SELECT {sql}::text FROM {rows.table} {alias} WHERE {all_of(where)} LIMIT 1", shape)

    def rows(self, type_name: str, keys: Sequence[object], sets: list[SelectionSetNode]) -> Plan:
        """The rows with these keys, in their order, null for those that cannot be seen."""
        alias, rows = self.ask.alias(), TYPES[type_name]
        keys_sql = self.ask(list(keys), "uuid[]")
        where = [f"{alias}.id = wanted.id", *self._scope(rows, alias)]
        sql, shape = self._object(type_name, alias, sets)
        return self._plan(
            f"SELECT json_agg((SELECT {sql} FROM {rows.table} {alias} WHERE {all_of(where)}) ORDER BY wanted.n)::text "
            f"FROM unnest({keys_sql}) WITH ORDINALITY AS wanted(id, n)",
            shape,
        )

    def page(self, of: GraphQLField, nodes: list[FieldNode]) -> Plan:
        """A connection at the root."""
        source = declared(of)
        assert isinstance(source, Page)
        sql, shape = connections.page(self, source, of, nodes, source_type="", source_alias="")
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
            pairs.append((f"#{family.name}", json_object(values)))
        audit = TYPES[type_name].audit
        if audit is not None and audit.of(self.ask.actor):
            pairs.append((AUDITED, f"{alias}.{audit.column}"))
            shape.audited = type_name
        return json_object(pairs), shape

    def _value(
        self, type_name: str, alias: str, of: GraphQLField, source: Source, nodes: list[FieldNode]
    ) -> tuple[str, Shape]:
        if isinstance(source, Value):
            return wire(of, render(source.sql, self.ask, alias)), Shape()
        if isinstance(source, Identifier):
            return f"'{type_name}:' || {alias}.id", Shape()
        if isinstance(source, Page):
            return connections.page(self, source, of, nodes, type_name, alias)
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
            *joined(source.on, alias, source_alias),
            *self.also(source.where, alias, source_alias),
            *self._scope(rows, alias, source_type, source.on),
        ]
        sql, shape = self._object(target, alias, below(nodes))
        order = f" ORDER BY {render(source.order, self.ask, alias)}" if source.order else ""
        picked = f"SELECT {sql} AS j FROM {rows.table} {alias} WHERE {all_of(where)}{order}"
        if source.first is None:
            return f"({picked} LIMIT 1)", shape
        first = self.first(self.arguments(of, nodes[0]))
        return f"(SELECT coalesce(json_agg(r.j), '[]') FROM ({picked} LIMIT {first}) r)", shape

    def node(self, target: str, alias: str, sets: list[SelectionSetNode]) -> tuple[str, Shape]:
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

    def target_scope(self, target: str, alias: str, source_type: str, on: tuple[tuple[str, str], ...]) -> list[str]:
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

    def also(self, where: Any, alias: str, source_alias: str) -> list[str]:
        if not where:
            return []
        return [render(where, self.ask, alias).replace("{s}", source_alias)]

    def first(self, arguments: dict[str, Any], *, is_used: bool = True) -> str:
        """The placeholder of a list's `first`; empty where nothing will use it."""
        first = arguments["first"]
        if not 1 <= first <= MOST_ROWS:
            raise bad_user_input(f"`first` is from 1 to {MOST_ROWS}.")
        return self.ask(first, "bigint") if is_used else ""
