"""The words in which a GraphQL type says where its fields come from and who may read them.

A type names its rows (a table or any FROM item) and its row scope; the scope belongs to the type that is reached, so no
relation can forget it. A field is a column, an expression, a masked column, a relation, a keyset connection or a
computed value. SQL texts name their own row `{t}`; a relation's condition names the row it starts from `{s}`.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import strawberry

from api.arguments import REQUIRED, argument, arguments_of
from api.config import ApiConfig
from api.context import ApiContext
from domain.platform.actors import Actor
from domain.platform.clock import business_day_sql
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission

SOURCE = "projection"  # the key of a field's declaration in its metadata
MOST_ROWS = 100  # of one list or page

T = TypeVar("T")


@dataclass(slots=True)
class Ask:
    """One statement being put together: who asks, and its values so far. `ask(value)` answers the value's `$n`.

    A plan serves everybody of the same rights: while it is made, the actor's ids are `Late` values, and there is no
    request. Finders are asked again for each request, by its own actor.
    """

    actor: Actor
    language: str  # en or zh-Hans
    config: ApiConfig
    parameters: Parameters
    prefix: str = "t"
    request: ApiContext | None = None
    aliases: int = 0

    @property
    def context(self) -> ApiContext:
        """The request, for finders."""
        assert self.request is not None, "a plan serves many requests: only finders know one"
        return self.request

    def __call__(self, value: object, cast: str = "") -> str:
        return self.parameters(value) + (f"::{cast}" if cast else "")

    def alias(self) -> str:
        """A fresh name for a row."""
        self.aliases += 1
        return f"{self.prefix}{self.aliases}"

    def today(self) -> str:
        """The business date in the installation's zone, read once a statement."""
        return business_day_sql(self(self.config.time_zone, "text"))


Sql: TypeAlias = str | Callable[[Ask, str], str]  # text with {t}, or what makes it for a row's alias
Finder: TypeAlias = Callable[..., Sequence[str]]  # (ask, alias, **arguments) -> conditions that must all hold
Before: TypeAlias = Callable[..., Awaitable[None]]  # (context, **arguments), before a root field is planned
Key: TypeAlias = tuple[tuple[str, str, str], ...]  # (column, ASC | DESC, SQL type): total, the last one unique


def render(sql: Sql, ask: Ask, alias: str) -> str:
    return sql.replace("{t}", alias) if isinstance(sql, str) else sql(ask, alias)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows of a type an actor may see. `implied_by` names the ways on which it has been proved already:

    source type -> ((own column, its column), ...): reached over exactly these columns, the source's scope is enough.
    """

    condition: Callable[[Ask, str], str]
    implied_by: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar: a column, an expression or a masked column. A column that is never null was checked to be so."""

    sql: Sql
    permission: Permission | None = None
    column: str = ""
    texts: tuple[Sql, ...] = ()  # of an expression that a function puts together


@dataclass(frozen=True, slots=True)
class Identifier:
    """The global id, made of the type's name and the row's key."""

    permission: None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of another type: one, or a list of at most `first` (its default), in `order`."""

    on: tuple[tuple[str, str], ...]  # (target's column, own column)
    where: Sql = ""
    order: str = ""
    first: int | None = None  # None: one row
    permission: Permission | None = None
    rows: str = ""  # a FROM item with the columns that the type reads, where its table is not the quickest way to them


@dataclass(frozen=True, slots=True)
class Page:
    """A Relay connection: rows of another type in keyset order; `find` narrows them by the field's arguments."""

    key: Key
    on: tuple[tuple[str, str], ...] = ()
    where: Sql = ""
    find: Finder | None = None
    permission: Permission | None = None
    before: Before | None = None
    unindexed: str = ""  # why no index of the whole table gives the order


@dataclass(frozen=True, slots=True)
class One:
    """A root field that answers at most one row: the type's, or for `node` the one that the id names."""

    find: Finder
    type_of: Callable[..., str] | None = None  # (**arguments) -> type name, where the field's type is abstract
    permission: Permission | None = None
    before: Before | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One computed value that an operation asks for."""

    name: str  # the field's Python name
    needs: dict[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)  # the field's arguments, by their Python names


@dataclass(frozen=True, slots=True)
class Family:
    """Computed values that are made together: one call for all of an operation's root field, at most one statement."""

    name: str
    needs: Mapping[str, Sql]
    compute: Callable[[ApiContext, Sequence[Wanted]], Awaitable[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Computed:
    name: str
    family: Family
    permission: Permission | None = None
    given: Callable[..., None] | None = None  # refuses arguments that cannot be right; its parameters are the field's


Source: TypeAlias = Value | Identifier | Relation | Page | One | Computed


@dataclass(frozen=True, slots=True)
class Audit:
    """Reading a row is noted, for the operation's audit row: which of its columns, for which callers."""

    column: str
    of: Callable[[Actor], bool]


@dataclass(frozen=True, slots=True)
class Rows:
    """What a type says of itself."""

    table: str
    scope: Scope | None
    permission: Permission | None
    cls: type
    audit: "Audit | None" = None
    made_of: tuple[str, ...] | None = None  # the tables of a FROM item that is none itself


@dataclass(frozen=True, slots=True)
class Union:
    """Rows of several types in one order: a table with `kind` and `id`, and which type each kind is."""

    table: str
    kind: str
    arms: Mapping[str, str]  # kind -> type name
    implied_by: Mapping[str, tuple[tuple[str, str], ...]]
    beneath: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # its tables: column -> what they call it
    chosen_by: str = ""  # the argument that lists kinds

    def alone(self, kind: str) -> str:
        """A FROM item of this kind's rows with the columns of their own table; empty where no table has them alone."""
        table = TYPES[self.arms[kind]].table
        if table not in self.beneath:
            return ""
        named = "".join(f", x.{theirs} AS {ours}" for ours, theirs in self.beneath[table].items())
        return f"(SELECT x.*{named}, '{kind}' AS {self.kind} FROM {table} x)"

    def only(self, alias: str, kinds: Iterable[str]) -> str:
        """The condition of rows of these kinds. In words of the declaration, not bound: other tables are never read."""
        assert set(kinds) <= self.arms.keys()
        listed = ", ".join(f"'{kind}'" for kind in kinds) or "NULL"
        return f"{alias}.{self.kind} IN ({listed})"


TYPES: dict[str, Rows] = {}
UNIONS: dict[str, Union] = {}


def projected(
    *,
    table: str,
    scope: Scope | None,
    permission: Permission | None,
    description: str,
    audit: Audit | None = None,
    made_of: tuple[str, ...] | None = None,
) -> Callable[[type[T]], type[T]]:
    """Make the class a GraphQL type whose rows are `table`. `scope=None` says: whoever has the permission sees all.

    A FROM item that is no table says by `made_of` from which tables it joins its columns, none twice.
    """

    def declare(cls: type[T]) -> type[T]:
        TYPES[cls.__name__] = Rows(table, scope, permission, cls, audit, made_of)
        return strawberry.type(cls, description=description)

    return declare


def identifier() -> Any:
    """The row's global id, from its column `id`."""
    return _field(Identifier(), "Global id: `Type:<uuid>`. Opaque; the same row keeps it for life.")


def column(name: str, description: str, permission: Permission | None = None) -> Any:
    """The value of a column."""
    return _field(Value(f"{{t}}.{name}", permission, column=name), description)


def expression(sql: Sql, description: str, permission: Permission | None = None) -> Any:
    """The value of an SQL expression over the row."""
    return _field(Value(sql, permission), description)


def masked(
    name: str, description: str, *, revealed: Callable[[Ask, str], str], mask: str, permission: Permission | None = None
) -> Any:
    """A column in full where `revealed` holds for the row, else as `mask` shows it."""

    def sql(ask: Ask, alias: str) -> str:
        return f"CASE WHEN {revealed(ask, alias)} THEN {alias}.{name} ELSE {render(mask, ask, alias)} END"

    return _field(Value(sql, permission, texts=(f"{{t}}.{name}", mask)), description)


def relation(
    description: str,
    *,
    on: Mapping[str, str],
    where: Sql = "",
    order: str = "",
    first: int | None = None,
    permission: Permission | None = None,
    rows: str = "",
) -> Any:
    """Rows of the annotated type whose columns equal ours. `first` makes it a list and is how many by default."""
    declared = _field(Relation(tuple(on.items()), where, order, first, permission, rows), description)
    if first is not None:
        declared.arguments = [argument("first", int, first, f"How many at most, 1-{MOST_ROWS}.")]
    return declared


def connection(
    description: str,
    *,
    key: Key,
    on: Mapping[str, str] | None = None,
    where: Sql = "",
    find: Finder | None = None,
    permission: Permission | None = None,
    before: Before | None = None,
    unindexed: str = "",
) -> Any:
    """A page of rows of the annotated `Connection[Type]`, in the order of `key`; `unindexed`: why no index gives it."""
    declared = _field(Page(key, tuple((on or {}).items()), where, find, permission, before, unindexed), description)
    declared.arguments = [
        *(arguments_of(find) if find else []),
        argument("first", int, REQUIRED, f"How many, 1-{MOST_ROWS}."),
        argument("after", str | None, None, "`endCursor` of the page before."),
    ]
    return declared


def one(
    description: str,
    *,
    find: Finder,
    type_of: Callable[..., str] | None = None,
    permission: Permission | None = None,
    before: Before | None = None,
) -> Any:
    """A root field: at most one row, by the finder's arguments."""
    declared = _field(One(find, type_of, permission, before), description)
    declared.arguments = arguments_of(find)
    return declared


def computed(
    family: Family,
    name: str,
    description: str,
    permission: Permission | None = None,
    *,
    given: Callable[..., None] | None = None,
) -> Any:
    """A value that SQL cannot give; `name` tells the family which. The parameters of `given` are its arguments."""
    declared = _field(Computed(name, family, permission, given), description)
    if given is not None:
        declared.arguments = arguments_of(given, leave=0)
    return declared


def _field(source: Source, description: str) -> Any:
    return strawberry.field(description=description, metadata={SOURCE: source})
