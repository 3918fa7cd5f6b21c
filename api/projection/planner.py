"""From a validated selection to one parameterised statement that answers JSON, keyed as the response is.

Values are always bound, never spliced; names come from declarations; response keys are GraphQL names. Hidden keys start
with `#`, which GraphQL cannot spell.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    EnumValueNode,
    FieldNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    IntValueNode,
    ListValueNode,
    SelectionSetNode,
    get_named_type,
)

from api.arguments import Arguments
from api.errors import ApiError, forbidden
from api.projection import (
    MOST_ROWS,
    TYPES,
    UNIONS,
    Ask,
    Computed,
    Identifier,
    One,
    Page,
    Relation,
    Rows,
    Source,
    Value,
    pages,
    render,
)
from api.projection.finishing import KIND, Fill, Shape, completer
from api.projection.selections import Selections, below, declared, literal, permissions_of
from api.projection.statements import (
    NULL,
    NULL_MARK,
    Constant,
    Holes,
    Late,
    Quoted,
    Row,
    Sure,
    all_of,
    checked_first,
    finding,
    joined,
    json_array,
    json_object,
    scalar,
)


@dataclass(slots=True)
class Planner:
    """Plans the root fields of one operation, or the rows of a mutation's payload (`for_core`)."""

    selections: Selections
    ask: Ask
    holes: Holes
    for_core: bool = False
    noted: set[str] = field(default_factory=set)  # types of which rows are noted, for the audit row

    # Statements

    def one(self, row: Row, of: GraphQLField, nodes: list[FieldNode], type_name: str) -> tuple[str, Shape]:
        """At most one row, as the root field finds it."""
        source = declared(of)
        assert isinstance(source, One)
        target = Row(self.ask.alias())
        sql, shape = self.object(type_name, target, below(nodes))
        where = [self._found(source.find, of, nodes[0], target.alias), *self.scope(TYPES[type_name], target.alias)]
        return self._single(row, target, sql, f"{TYPES[type_name].table} {target.alias} WHERE {all_of(where)}"), shape

    def rows(self, row: Row, type_name: str, keys: Late, sets: list[SelectionSetNode]) -> tuple[str, Shape]:
        """The rows with these keys, in their order, null for those that cannot be seen."""
        target, rows, wanted = Row(self.ask.alias()), TYPES[type_name], self.ask.alias()
        where = all_of([f"{target.alias}.id = {wanted}.id", *self.scope(rows, target.alias)])
        sql, shape = self.object(type_name, target, sets)
        outer = Row(wanted)
        inner = self._single(outer, target, sql, f"{rows.table} {target.alias} WHERE {where}")
        listed = f"unnest({self.ask(keys, 'uuid[]')}) WITH ORDINALITY AS {wanted}(id, n){outer.joined}"
        value = json_array(f"coalesce({inner}, 'null')", f" ORDER BY {wanted}.n")
        return self.lateral(row, value, f"string_agg({outer.noted}, ',')" if outer.notes else "", listed), shape

    def page(self, row: Row, of: GraphQLField, nodes: list[FieldNode]) -> tuple[str, Shape]:
        """A connection at the root."""
        source = declared(of)
        assert isinstance(source, Page)
        return pages.page(self, source, of, nodes, source_type="", row=row)

    # Objects

    def object(
        self, type_name: str, row: Row, sets: Iterable[SelectionSetNode], *, kind: bool = False
    ) -> tuple[str, Shape]:
        core = self.selections.schema._schema.type_map[type_name]  # noqa: SLF001
        assert isinstance(core, GraphQLObjectType)
        pairs: list[tuple[str, str]] = []
        shape, families, unfit = Shape(), {}, ""
        for key, nodes in self.selections.fields(core, sets).items():
            if nodes[0].name.value == "__typename":
                pairs.append((key, Constant(f'"{type_name}"')))
                continue
            of = core.fields[nodes[0].name.value]
            source = declared(of)
            assert source is not None, f"{type_name}.{nodes[0].name.value} is not declared"
            refused = self.refusal(of, source)
            if refused is not None:
                shape.refused.append((key, refused, nodes[0]))
                pairs.append((key, NULL))
            elif isinstance(source, Computed):
                complete = None if self.for_core else completer(self.selections, of.type, nodes)
                arguments = self.selections.arguments(of, nodes[0]) if source.given else None
                shape.fills.append(Fill(key, source, complete, arguments))
                if source.given and arguments:
                    unfit += self.holes(_fitting(source.given, arguments))
                families[source.family.name] = source.family
                pairs.append((key, NULL))
            else:
                sql, child = self._value(type_name, row, of, source, nodes)
                pairs.append((key, self._checked(sql, key, type_name, of, source, nodes[0], shape)))
                shape.child(key, of.type, child)
        for family in families.values():
            needs = {name: render(sql, self.ask, row.alias) for name, sql in family.needs.items()}
            values = [(name, f"to_json({sql})::text") for name, sql in needs.items()]
            pairs.append((f"#{family.name}", json_object(values)))
        if kind and (self.for_core or not shape.is_done or shape.is_checked):
            pairs.append((KIND, Constant(f'"{type_name}"')))
        audit = TYPES[type_name].audit
        if audit is not None and audit.of(self.ask.actor):
            self.noted.add(type_name)
            row.notes.append(f"'{type_name}:' || {row.alias}.{audit.column}")
        return json_object(pairs) + unfit if unfit else json_object(pairs), shape

    def refusal(self, of: GraphQLField, source: Source) -> ApiError | None:
        """Why the actor may not read the field."""
        missing = [needed for needed in permissions_of(of, source) if not self.ask.actor.may(needed)]
        return forbidden(missing[0]) if missing else None

    def _checked(
        self, sql: str, key: str, type_name: str, of: GraphQLField, source: Source, node: FieldNode, shape: Shape
    ) -> str:
        """An expression that must not be null says so in words when it is; columns were checked to be NOT NULL."""
        is_trusted = not isinstance(source, Value) or bool(source.column)
        if is_trusted or self.for_core or not isinstance(of.type, GraphQLNonNull):
            return sql
        shape.checked.append((key, f"{type_name}.{node.name.value}", node))
        return Sure(f"coalesce({sql}, '{NULL_MARK}')")

    def _value(
        self, type_name: str, row: Row, of: GraphQLField, source: Source, nodes: list[FieldNode]
    ) -> tuple[str, Shape]:
        if isinstance(source, Value):
            sql = scalar(of.type, render(source.sql, self.ask, row.alias))
            if source.column and isinstance(of.type, GraphQLNonNull):
                return sql if isinstance(sql, Quoted) else Sure(sql), Shape()
            return str(sql), Shape()
        if isinstance(source, Identifier):
            return Quoted(f"({row.alias}.id)::text", f'"{type_name}:'), Shape()
        if isinstance(source, Page):
            return pages.page(self, source, of, nodes, type_name, row)
        assert isinstance(source, Relation)
        return self._relation(source, of, nodes, type_name, row)

    # Relations

    def _relation(
        self, source: Relation, of: GraphQLField, nodes: list[FieldNode], source_type: str, row: Row
    ) -> tuple[str, Shape]:
        named, target = get_named_type(of.type).name, Row(self.ask.alias())
        where = [
            *joined(source.on, target.alias, row.alias),
            *self.also(source.where, target.alias, row.alias),
            *self.scope(TYPES[named], target.alias, source_type, source.on),
        ]
        sql, shape = self.object(named, target, below(nodes))
        order = f" ORDER BY {render(source.order, self.ask, target.alias)}" if source.order else ""
        rows = f"{source.rows or TYPES[named].table} {target.alias} WHERE {all_of(where)}{order}"
        if source.first is None:
            is_plain = TYPES[named].made_of is None and not source.rows
            is_key = is_plain and any(theirs == "id" for theirs, _ in source.on)
            return self._single(row, target, sql, rows, is_key=is_key), shape
        first = self.first(of, nodes[0])
        # Aggregated in the order of the rows beneath: they are sorted, and nothing is joined to them.
        if not target.notes:
            return Sure(f"(SELECT {json_array('r.j')} FROM (SELECT {sql} AS j FROM {rows} LIMIT {first}) r)"), shape
        if not target.joins:
            listed = f"(SELECT {sql} AS j, {target.noted} AS a FROM {rows} LIMIT {first}) r"
            return self.lateral(row, json_array("r.j"), "string_agg(r.a, ',')", listed), shape
        place = f"row_number() OVER ({order.strip()})"
        picked = f'(SELECT {target.alias}.*, {place} AS "#n" FROM {rows} LIMIT {first}) {target.alias}{target.joined}'
        value = json_array(sql, f' ORDER BY {target.alias}."#n"')
        return self.lateral(row, value, f"string_agg({target.noted}, ',')", picked), shape

    def _single(self, row: Row, target: Row, sql: str, rows: str, *, is_key: bool = False) -> str:
        """At most one row; `is_key`: the condition has its table's key."""
        if not target.notes:
            return f"(SELECT {sql} FROM {rows}{'' if is_key else ' LIMIT 1'})"
        picked = f"(SELECT {target.alias}.* FROM {rows} LIMIT 1) {target.alias}{target.joined}"
        return self.lateral(row, sql, target.noted, picked)

    def lateral(self, row: Row, value: str, noted: str, rows: str) -> str:
        """The value over some rows as an expression; what it notes goes up beside it."""
        if not noted:
            return f"(SELECT {value} FROM {rows})"
        name = self.ask.alias()
        row.joins.append(f"LEFT JOIN LATERAL (SELECT {value} AS j, {noted} AS a FROM {rows}) {name} ON TRUE")
        row.notes.append(f"{name}.a")
        return f"{name}.j"

    def only_kind(self, target: str, node: FieldNode) -> str:
        """The one kind that the document's own words leave of a union, where its table alone has such rows; else none.

        They are read there, and not found in the union to be looked up by their ids.
        """
        union = UNIONS.get(target)
        chosen = literal(node, union.chosen_by) if union is not None else None
        values = chosen.values if isinstance(chosen, ListValueNode) else [chosen]
        names = {one.value for one in values if isinstance(one, EnumValueNode)}
        if union is None or len(names) != 1 or (kind := names.pop()) not in union.arms:
            return ""
        return kind if union.alone(kind) and self._may_read(TYPES[union.arms[kind]]) else ""

    def node(self, target: str, row: Row, sets: list[SelectionSetNode], only: str = "") -> tuple[str, Shape]:
        """A row of the target; of a union, what its kind says, or the `only` kind that there is."""
        union = UNIONS.get(target)
        if union is None:
            return self.object(target, row, sets)
        cases, shape = [], Shape()
        if only:
            sql, child = self.object(union.arms[only], row, sets, kind=True)
            if not child.is_done or child.is_checked:
                shape.arms[union.arms[only]] = child
            return sql, shape
        for kind, type_name in union.arms.items():
            if not self._may_read(TYPES[type_name]):
                continue
            arm = Row(self.ask.alias())
            sql, child = self.object(type_name, arm, sets, kind=True)
            if sql == json_object([]) and not arm.notes:  # nothing is asked of this type: its row is not looked up
                cases.append(f"WHEN '{kind}' THEN {sql}")
                continue
            rows = f"{TYPES[type_name].table} {arm.alias} WHERE {arm.alias}.id = {row.alias}.id"
            if arm.notes:  # joined whatever the kind is
                rows += f" AND {row.alias}.{union.kind} = '{kind}'"
            is_key = TYPES[type_name].made_of is None
            cases.append(f"WHEN '{kind}' THEN {self._single(row, arm, sql, rows, is_key=is_key)}")
            if not child.is_done or child.is_checked:
                shape.arms[type_name] = child
        sql = f"CASE {row.alias}.{union.kind} {' '.join(cases)} END" if cases else "NULL::text"
        return sql, shape

    # Conditions

    def target_scope(self, target: str, alias: str, source_type: str, on: tuple[tuple[str, str], ...]) -> list[str]:
        union = UNIONS.get(target)
        if union is None:
            return self.scope(TYPES[target], alias, source_type, on)
        proof = union.implied_by.get(source_type)
        assert proof is not None, f"{target} is only reached from where its scope is implied"
        assert set(proof) <= set(on), f"{target} is only reached over the columns that imply its scope"
        kinds = [kind for kind, name in union.arms.items() if self._may_read(TYPES[name])]
        return [union.only(alias, kinds)]

    def scope(self, rows: Rows, alias: str, source_type: str = "", on: tuple[tuple[str, str], ...] = ()) -> list[str]:
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

    def _found(self, find: Callable[..., Sequence[str]], of: GraphQLField, node: FieldNode, alias: str) -> str:
        """What a finder says of a row, asked for each request."""
        return self.holes(finding(find, self.selections.arguments(of, node), alias))

    def first(self, of: GraphQLField, node: FieldNode) -> str:
        """A list's `first`: a number that the document says, else the placeholder of the one that a request brings."""
        arguments, given = self.selections.arguments(of, node), literal(node, "first")
        if given is None or isinstance(given, IntValueNode):
            said = arguments(self.selections.variables)["first"]
            if 1 <= said <= MOST_ROWS:
                return str(said)

        def read(context: Any) -> int:
            return checked_first(arguments(context.variables)["first"])

        return self.ask(Late("first", read), "bigint")


def _fitting(given: Callable[..., None], arguments: Arguments) -> Callable[[Ask], str]:
    """Refuses the arguments of a computed value before any SQL runs; adds no text."""

    def check(ask: Ask) -> str:
        given(**arguments(ask.context.variables))
        return ""

    return check
