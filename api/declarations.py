"""What the types declare, held against itself when the schema is built and against the database's catalogue at start.

A read trusts its declarations: a column that is NOT NULL is sent without a look, a cursor's last column is unique, an
index gives a page its order. Whatever does not hold is told at once and in one message, with how to mend it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from graphql import GraphQLField, GraphQLNonNull, GraphQLObjectType, get_named_type
from strawberry import Schema

from api.projection import TYPES, UNIONS, Computed, Identifier, Page, Relation, Source, Sql, Value
from api.projection.selections import declared, node_type
from api.reads import Reads

COLUMN = re.compile(r"\{([ts])\}\.(\w+)")
PLAIN_NAME = re.compile(r"\w+")
CATALOGUE = """
SELECT
  (SELECT json_object_agg(relname, columns) FROM (
    SELECT c.relname, json_object_agg(a.attname, a.attnotnull) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relname = ANY($1) AND c.relnamespace::regnamespace::text = ANY(current_schemas(false)::text[])
    GROUP BY 1) x),
  (SELECT json_agg(json_build_array(c.relname, i.indisunique, array(
      SELECT coalesce(a.attname, '') FROM unnest(i.indkey) WITH ORDINALITY k(attnum, n)
      LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum AND k.attnum > 0
      WHERE k.n <= i.indnkeyatts ORDER BY k.n)))
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relname = ANY($1) AND c.relnamespace::regnamespace::text = ANY(current_schemas(false)::text[])
      AND i.indisvalid AND i.indpred IS NULL),
  (SELECT json_agg(json_build_array(s.relname, mine.attname, t.relname, theirs.attname))
    FROM pg_constraint f JOIN pg_class s ON s.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
    JOIN pg_attribute mine ON mine.attrelid = s.oid AND mine.attnum = f.conkey[1]
    JOIN pg_attribute theirs ON theirs.attrelid = t.oid AND theirs.attnum = f.confkey[1]
    WHERE f.contype = 'f' AND cardinality(f.conkey) = 1 AND s.relname = ANY($1)
      AND s.relnamespace::regnamespace::text = ANY(current_schemas(false)::text[]))
"""


class WrongDeclarations(TypeError):
    """Declarations that cannot be kept, one a line, each with how to mend it."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__("\n- ".join(["Types declare what does not hold:", *found]))


@dataclass(frozen=True, slots=True)
class Declared:
    """A field of a type, as it was declared."""

    owner: str
    name: str
    of: GraphQLField
    source: Source

    def __str__(self) -> str:
        where = f" ({TYPES[self.owner].cls.__module__})" if self.owner in TYPES else ""
        return f"{self.owner}.{self.name}{where}"

    @property
    def target(self) -> str:
        named = get_named_type(self.of.type)
        if isinstance(self.source, Page):
            assert isinstance(named, GraphQLObjectType)
            named = node_type(named)
        return named.name

    @property
    def is_required_row(self) -> bool:
        is_single = isinstance(self.source, Relation) and self.source.first is None
        return is_single and isinstance(self.of.type, GraphQLNonNull)


def declarations(schema: Schema) -> Iterator[Declared]:
    core = schema._schema  # noqa: SLF001
    for owner in ("Query", *TYPES):
        named = core.type_map.get(owner)
        if isinstance(named, GraphQLObjectType):
            for name, of in named.fields.items():
                source = declared(of)
                if source is not None:
                    yield Declared(owner, name, of, source)


# When the schema is built


def refuse_contradictions(schema: Schema) -> None:
    """Raise for declarations that no database could keep."""
    found: list[str] = []
    for one in declarations(schema):
        if one.is_required_row:
            found += _hideable(one)
        elif isinstance(one.source, Page):
            found += _leaking(one, schema)
    for name, rows in TYPES.items():
        if rows.made_of is None and not PLAIN_NAME.fullmatch(rows.table):
            found.append(f"{name}: its FROM item is no table; name those beneath by projected(made_of=...).")
    if found:
        raise WrongDeclarations(found)


def _hideable(one: Declared) -> Iterator[str]:
    """A row that may be out of scope, or that a condition may leave out, is null: it may not be `!`."""
    assert isinstance(one.source, Relation)
    scope = TYPES[one.target].scope
    proof = scope.implied_by.get(one.owner) if scope is not None else ()
    if proof is None or not set(proof) <= set(one.source.on):
        yield f"{one}: whoever sees {one.owner} may not see its {one.target}; make the field nullable."
    if one.source.where or not one.source.on:
        yield f"{one}: its condition may leave the row out; make the field nullable."


def _leaking(one: Declared, schema: Schema) -> Iterator[str]:
    """A cursor shows the columns of its key, and a page's order tells of them."""
    assert isinstance(one.source, Page)
    if one.target in UNIONS:
        return
    guarded = {
        field.source.column: field.source.permission
        for field in declarations(schema)
        if field.owner == one.target and isinstance(field.source, Value) and field.source.permission is not None
    }
    for column, _, _ in one.source.key:
        if column in guarded:
            yield f"{one}: its key names {column}, which needs {guarded[column]}; order by what every reader may see."


# At start


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the database says of the tables and FROM items that types read."""

    columns: dict[str, dict[str, bool]]  # table or FROM item -> column -> whether it is NOT NULL
    indexes: list[tuple[str, bool, list[str]]]  # of whole tables: table, whether unique, columns
    foreign: list[list[str]]  # table, column, the table it refers to, and its column

    def has(self, name: str, column: str) -> bool:
        return column in self.columns.get(name, {})

    def leads(self, table: str, columns: Sequence[str], *, is_unique: bool = False) -> bool:
        """An index starts with the columns, or is unique by them alone."""
        for of, unique, indexed in self.indexes:
            if of == table and (indexed == list(columns) and unique if is_unique else _starts(indexed, columns)):
                return True
        return False


def _starts(indexed: Sequence[str], columns: Sequence[str]) -> bool:
    return list(indexed[: len(columns)]) == list(columns)


async def check_declarations(schema: Schema) -> None:
    """Raise for declarations that this database does not keep. Takes a few milliseconds."""
    fields = list(declarations(schema))
    catalogue = await read_catalogue(one.source.rows for one in fields if isinstance(one.source, Relation))
    found: list[str] = []
    for name, rows in TYPES.items():
        tables = [rows.table] if PLAIN_NAME.fullmatch(rows.table) else list(rows.made_of or ())
        found += [f"{name}: there is no table {table}; name another or migrate." for table in tables
                  if table not in catalogue.columns]  # fmt: skip
    for one in fields:
        found += _missing(one, catalogue)
        if isinstance(one.source, Identifier) or (isinstance(one.source, Value) and one.source.column):
            found += _nullable(one, catalogue)
        if isinstance(one.source, Relation):
            found += _unheld(one, one.source, catalogue)
            found += _lacking(one, one.source, fields, catalogue)
        if isinstance(one.source, Page):
            found += _unkeyed(one, one.source, catalogue)
    if found:
        raise WrongDeclarations(found)


async def read_catalogue(also: Iterable[str] = ()) -> Catalogue:
    assert Reads.signed_in is not None, "open_reads() first"
    items = {rows.table for rows in TYPES.values()} | {union.table for union in UNIONS.values()}
    items |= set(also) - {""}
    names = {item for item in items if PLAIN_NAME.fullmatch(item)}
    names |= {table for name in [*TYPES, *UNIONS] for table, _ in beneath(name)}
    async with Reads.signed_in.acquire() as connection:
        found = await connection.fetchrow(CATALOGUE, sorted(names))
        columns, indexes, foreign = (orjson.loads(part or "null") for part in found)
        # A statement that is prepared and never run would leave the server's time-out running for the next one.
        async with connection.transaction():
            for item in items - names:
                statement = await connection.prepare(f"SELECT * FROM {item} t")  # noqa: S608  # declared, never given
                columns[item] = {attribute.name: False for attribute in statement.get_attributes()}
    return Catalogue(columns or {}, indexes or [], foreign or [])


def beneath(target: str) -> Sequence[tuple[str, Mapping[str, str]]]:
    """The tables that a type's or union's rows are made of, and how they call the columns that it renames."""
    if target in UNIONS:
        return list(UNIONS[target].beneath.items())
    rows = TYPES[target]
    return [(table, {}) for table in ([rows.table] if rows.made_of is None else rows.made_of)]


def _item(target: str) -> str:
    return UNIONS[target].table if target in UNIONS else TYPES[target].table


def _never_null(catalogue: Catalogue, target: str, column: str) -> bool:
    """Of a union in every table beneath it; of joined tables in the first that has the column."""
    known = [catalogue.columns.get(table, {}).get(names.get(column, column)) for table, names in beneath(target)]
    if target in UNIONS:
        return bool(known) and all(known)
    return next((found for found in known if found is not None), False)


def _mentioned(row: str, *texts: Sql) -> list[str]:
    """The columns of `{t}` or `{s}` that SQL texts name; what functions write shows when it runs."""
    return [name for text in texts if isinstance(text, str) for of, name in COLUMN.findall(text) if of == row]


def _own(source: Source) -> list[str]:
    """The columns of its owner's row that a field reads."""
    if isinstance(source, Identifier):
        return ["id"]
    if isinstance(source, Value):
        return [*_mentioned("t", source.sql, *source.texts)]
    if isinstance(source, Computed):
        return _mentioned("t", *source.family.needs.values())
    if isinstance(source, Relation | Page):
        return [ours for _, ours in source.on] + _mentioned("s", source.where)
    return []


def _missing(one: Declared, catalogue: Catalogue) -> Iterator[str]:
    source, own, there = one.source, _own(one.source), list[str]()
    if isinstance(source, Relation | Page):
        there = [theirs for theirs, _ in source.on] + _mentioned("t", source.where)
        there += _mentioned("t", source.order) if isinstance(source, Relation) else [name for name, _, _ in source.key]
    for target, columns in ((one.owner, own), (one.target, there)):
        item = _item(target) if columns else ""
        for column in sorted(set(columns)):
            if item in catalogue.columns and not catalogue.has(item, column):
                yield f"{one}: {item} has no column {column}; name one that it has, or migrate."


def _nullable(one: Declared, catalogue: Catalogue) -> Iterator[str]:
    assert isinstance(one.source, Value | Identifier)
    column = one.source.column if isinstance(one.source, Value) else "id"
    if not catalogue.has(_item(one.owner), column):
        return  # told already
    if isinstance(one.of.type, GraphQLNonNull) and not _never_null(catalogue, one.owner, column):
        yield f"{one}: {column} may be null; make the field nullable, or the column NOT NULL."


def _unheld(one: Declared, source: Relation, catalogue: Catalogue) -> Iterator[str]:
    theirs = [their for their, _ in source.on]
    if theirs and not any(catalogue.leads(table, theirs) for table, _ in beneath(one.target)):
        yield f"{one}: no index of {_item(one.target)} starts with {', '.join(theirs)}; add one."
    if not one.is_required_row:
        return
    table, target = _item(one.owner), _item(one.target)
    if not any([table, ours, target, their] in catalogue.foreign for their, ours in source.on):
        yield f"{one}: no foreign key says that the {one.target} exists; make the field nullable, or add one."
    for _, ours in source.on:
        if catalogue.has(table, ours) and not _never_null(catalogue, one.owner, ours):
            yield f"{one}: {ours} may be null; make the field nullable, or the column NOT NULL."


def _lacking(one: Declared, source: Relation, fields: Sequence[Declared], catalogue: Catalogue) -> Iterator[str]:
    """What stands for a type's table has all that the type reads, whatever a document asks for."""
    if source.rows:
        read = {name for field in fields if field.owner == one.target for name in _own(field.source)}
        for name in sorted(read - catalogue.columns[source.rows].keys()):
            yield f"{one}: its rows have no {name}, which {one.target} reads; add it to them."


def _unkeyed(one: Declared, source: Page, catalogue: Catalogue) -> Iterator[str]:
    tables, names = beneath(one.target), [name for name, _, _ in source.key]
    need = all if one.target in UNIONS else any
    last = names[-1]
    if not need(catalogue.leads(table, [of.get(last, last)], is_unique=True) for table, of in tables):
        yield f"{one}: its key ends with {last}, which is not unique; end it with a unique column."
    for name in names:
        if catalogue.has(_item(one.target), name) and not _never_null(catalogue, one.target, name):
            yield f"{one}: its key names {name}, which may be null: such rows are on no page. Order by another."
    leading = [their for their, _ in source.on] + names
    if source.unindexed:
        return
    if not need(catalogue.leads(table, [of.get(name, name) for name in leading]) for table, of in tables):
        yield f"{one}: no index of {_item(one.target)} starts with {', '.join(leading)}; add one, or say `unindexed`."
