"""A statement that many requests share: its text, the values it takes, the audit row it leaves, the JSON it writes.

Values are constants of the plan, `Late` ones of the request, or what finders add. Text that a request's own arguments
shape (a search, a cursor) stands in holes; every filling that was met is remembered, so PostgreSQL sees few texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, GraphQLOutputType, get_named_type

from api.arguments import Arguments
from api.context import ApiContext
from api.errors import bad_user_input
from api.projection import MOST_ROWS, TYPES, UNIONS, Ask, Finder
from domain.platform.actors import Actor
from domain.platform.parameters import Parameters

IN_A_GROUP = 8  # parts of a JSON text that are put together at a time
MOST_FILLINGS = 64  # of one plan's holes
IDS = ("id", "account_id", "staff_id", "store_id", "distributor_id", "member_id", "household_id", "token_id")
NULL_MARK = '{"#":0}'  # a null where the SDL allows none; no text can spell it, for JSON escapes its quotes


@dataclass(frozen=True, slots=True)
class Late:
    """A value that each request brings."""

    name: str
    read: Callable[[ApiContext], object]


LATE_IDS = {name: Late(name, lambda context, name=name: getattr(context.caller, name)) for name in IDS}  # type: ignore[misc]


def anybody_like(actor: Actor) -> Actor:
    """The actor's rights without her ids: they are read from each request."""
    return replace(actor, **{name: late for name, late in LATE_IDS.items() if getattr(actor, name) is not None})  # type: ignore[arg-type]


def rights_of(actor: Actor) -> tuple[object, ...]:
    """What of an actor may shape a statement."""
    return (actor.role, actor.scope, actor.permissions, *(getattr(actor, name) is None for name in IDS))


KEYS = Late("keys", lambda _context: ())


class Refused(Exception):
    """A root field's arguments cannot be answered; the cause says why."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root


class Slots(Parameters):
    """The values of a plan: the same `Late` twice is one placeholder; what could be one request's own is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.owner = ""  # the root field being planned
        self.owners: list[str] = []

    def __call__(self, value: object) -> str:
        if isinstance(value, Late):
            for number, known in enumerate(self, start=1):
                if known is value:
                    return f"${number}"
        elif not isinstance(value, str | int | float | list | None):
            raise TypeError(f"{type(value).__name__} in a plan: it would be answered to others. Pass it as Late")
        self.owners.append(self.owner)
        return super().__call__(value)


@dataclass(slots=True)
class Holes:
    """Where a plan's text waits for a request."""

    owner: str = ""
    fills: list[tuple[str, Callable[[Ask], str]]] = field(default_factory=list)

    def __call__(self, fill: Callable[[Ask], str]) -> str:
        self.fills.append((self.owner, fill))
        return f"\0{len(self.fills) - 1}\0"


@dataclass(slots=True)
class Statement:
    """One `SELECT` of `columns` JSON texts, and of what was shown where rows of some types are `noted`."""

    sql: str
    columns: int
    slots: Slots
    holes: Holes
    noted: frozenset[str]
    known: dict[tuple[object, ...], str] = field(default_factory=dict)

    def bind(self, context: ApiContext, keys: Sequence[object] = ()) -> tuple[str, list[object]]:
        """The text and its values for a request; `keys` of the rows that a payload names.

        What a finder, a cursor or a number of rows refuses is raised as `Refused` by its root field.
        """
        values, fillings, root = Parameters(), [], ""
        try:
            for owner, slot in zip(self.slots.owners, self.slots, strict=True):
                root = owner
                if slot is KEYS:
                    values.append(list(keys))
                else:
                    values.append(slot.read(context) if isinstance(slot, Late) else slot)
            for number, (owner, fill) in enumerate(self.holes.fills):
                root = owner
                fillings.append(fill(asked(context, values, f"h{number}_")))
        except Exception as error:
            raise Refused(root) from error
        looked, searched = bool(context.looked_up_by), bool(context.searched_by)
        key = (*fillings, looked, searched)
        sql = self.known.get(key)
        is_audited = bool(self.noted) or looked or searched
        if sql is None:
            parts = self.sql.split("\0")
            parts[1::2] = [fillings[int(number)] for number in parts[1::2]]
            sql = "".join(parts)
            if is_audited:
                sql = audited(sql, self.columns, len(values), noted=self.noted)
            if len(self.known) < MOST_FILLINGS:
                self.known[key] = sql
        if is_audited:
            assert context.caller is not None
            who = context.caller
            values += [who.id, who.role.value, context.operation_hash]
            values += [sorted(context.searched_by | context.looked_up_by), looked]
        return sql, values


def asked(context: ApiContext, values: Parameters, prefix: str) -> Ask:
    """What a finder is asked with: the request's own actor, and aliases that no other hole uses."""
    return Ask(context.actor, context.language, context.config, values, prefix, context)


def audited(sql: str, columns: int, taken: int, *, noted: frozenset[str]) -> str:
    """The statement with its audit row: reads of babies' data, searches by it, and what services look up.

    One row an operation; a service's look-up is one too when nobody was found. Never what was searched for.
    """
    actor, role, operation, by, is_look_up = (f"${taken + n}" for n in range(1, 6))
    names = ", ".join(f"j{n}" for n in range(columns))
    babies = "position('Baby:' IN a) > 0" if "Baby" in noted else "FALSE"
    # OFFSET 0: the members are looked up once, not again for each condition on them.
    return f"""WITH answer AS MATERIALIZED ({sql}),
noted AS (
  INSERT INTO audit_entries (actor_id, actor_role, action, operation_hash, member_ids, detail)
  SELECT {actor}::uuid, {role}::text,
    CASE WHEN seen.babies THEN 'read_babies' WHEN {is_look_up}::bool OR seen.ids <> '{{}}' THEN 'look_up_member'
      ELSE 'search_babies' END,
    {operation}::text, seen.ids,
    CASE WHEN {by}::text[] = '{{}}' AND seen.babies THEN '{{}}' ELSE jsonb_build_object('by', {by}::text[]) END
  FROM (SELECT {_members_of(noted)} AS ids, {babies} AS babies FROM answer OFFSET 0) seen
  WHERE seen.ids <> '{{}}' OR {by}::text[] <> '{{}}')
SELECT {names} FROM answer"""


def _members_of(noted: frozenset[str]) -> str:
    """The members of whom something was shown: notes are `Baby:<household>` and `Member:<id>`, as types are noted."""
    if not noted:
        return "'{}'::uuid[]"
    arms = []
    for kind in sorted(noted):
        ids = f"string_to_array(replace(a, '{kind}:', ''), ',')::uuid[]"
        if len(noted) > 1:
            each = "unnest(string_to_array(a, ',')) note(text)"
            ids = f"ARRAY(SELECT split_part(text, ':', 2)::uuid FROM {each} WHERE starts_with(text, '{kind}:'))"
        column = "household_id" if kind == "Baby" else "id"
        arms.append(f"SELECT c.id FROM members c WHERE c.{column} = ANY({ids})")
    return f"ARRAY({' UNION '.join(arms)})"


@dataclass(slots=True)
class Row:
    """A row in FROM while its object is planned: what is joined to it, and what the audit wants to know of it."""

    alias: str
    joins: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def joined(self) -> str:
        return " ".join(["", *self.joins])

    @property
    def noted(self) -> str:
        return self.notes[0] if len(self.notes) == 1 else f"nullif(concat_ws(',', {', '.join(self.notes)}), '')"


def checked_first(first: int) -> int:
    """How many rows of a list; BAD_USER_INPUT outside what is allowed."""
    if not 1 <= first <= MOST_ROWS:
        raise bad_user_input(f"`first` is from 1 to {MOST_ROWS}.")
    return first


def finding(find: Finder, arguments: Arguments, alias: str) -> Callable[[Ask], str]:
    """What a finder says of a row, asked for each request."""

    def fill(ask: Ask) -> str:
        given = arguments(ask.context.variables)
        given.pop("first", None)
        given.pop("after", None)
        return all_of([f"({condition})" for condition in find(ask, alias, **given)])

    return fill


def table_of(target: str) -> str:
    return UNIONS[target].table if target in UNIONS else TYPES[target].table


def joined(on: tuple[tuple[str, str], ...], alias: str, source_alias: str) -> list[str]:
    return [f"{alias}.{theirs} = {source_alias}.{ours}" for theirs, ours in on]


def all_of(conditions: Sequence[str]) -> str:
    return " AND ".join(conditions) or "TRUE"


class Sure(str):
    """SQL of a JSON text that is never null."""

    __slots__ = ()


class Constant(Sure):
    """A JSON text that is known when the statement is planned, as it is: no SQL."""

    __slots__ = ()


class Quoted(Sure):
    """A JSON string: an SQL text between what is known when the statement is planned."""

    before: str
    sql: str
    after: str

    def __new__(cls, sql: str, before: str = '"', after: str = '"') -> Self:
        made = super().__new__(cls, f"'{before}' || {sql} || '{after}'")
        made.before, made.sql, made.after = before, sql, after
        return made


NULL = Constant("null")


def scalar(of: GraphQLOutputType, sql: str) -> str:
    """SQL of the JSON text that the SDL promises for a value; null where the value is, also of what is `Quoted`.

    What needs no escapes is quoted: PostgreSQL's own `to_json` costs twice as much, json_build_object four times.
    """
    named = get_named_type(of)
    is_list = isinstance(of.of_type if isinstance(of, GraphQLNonNull) else of, GraphQLList)
    if not is_list and (isinstance(named, GraphQLEnumType) or named.name in ("Date", "Decimal")):
        return Quoted(f"({sql})::text")
    if not is_list and named.name in ("Int", "Boolean"):
        return f"({sql})::text"
    return f"to_json({sql})::text"


def json_object(pairs: Sequence[tuple[str, str]]) -> Sure:
    """SQL of the text of a JSON object: key -> JSON text, in order. Keys are names: they need no escapes."""
    parts, text = [], "{"
    for number, (key, value) in enumerate(pairs):
        text += f'{"," if number else ""}"{key}":'
        if isinstance(value, Constant):
            text += value
            continue
        if isinstance(value, Quoted):
            parts += [f"'{text}{value.before}'", value.sql]
            text = value.after
            continue
        parts += [f"'{text}'", value if isinstance(value, Sure) else f"coalesce({value}, 'null')"]
        text = ""
    return Sure(_together([*parts, f"'{text}}}'::text"]))


def json_array(item: str, order: str = "", shown: str = "") -> Sure:
    """SQL of the text of a JSON array over rows, which are never null."""
    return Sure(f"coalesce('[' || string_agg({item}, ','{order}){shown} || ']', '[]')")


def _together(parts: Sequence[str]) -> str:
    """The parts as one text: in groups, so that a long text is not copied once for each short one after it."""
    while len(parts) > IN_A_GROUP:
        groups = [parts[start : start + IN_A_GROUP] for start in range(0, len(parts), IN_A_GROUP)]
        parts = [f"({' || '.join(group)})" for group in groups]
    return f"({' || '.join(parts)})"
