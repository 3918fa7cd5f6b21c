"""What is known of every member as of a moment, read once by set-based SQL and sliced for every earlier cut-off.

Nothing at or after 00:00 of the as-of date (in the installation's time zone) leaves the database, so no feature can see
it. Amounts are whole cents and moments whole local seconds: sums are exact, and the order of rows changes nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import numpy as np
import numpy.typing as npt

from domain.sql import statement

DAY_SECONDS = 86_400
EPOCH = date(1970, 1, 1)
COPY_HEADER_BYTES = 19  # signature, flags and an empty extension
BABY_CLASSES = ("NONE", "FORMULA", "BABY_FOOD", "DIAPER", "BABY_CARE")

Ints = npt.NDArray[np.int64]
Table = dict[str, Ints]
ORDERS = {"member": 4, "at_s": 8, "cents": 8, "channel": 4, "store": 4}
BASKETS = {"member": 4, "category": 4, "baby": 4, "at_s": 8, "cents": 8, "discount_cents": 8}
RETURNS = {"member": 4, "at_s": 8, "cents": 8}


@dataclass(frozen=True)
class History:
    """Orders, baskets (one row an order and category) and returns before `as_of`, each sorted by time.

    Rows name members and categories by number; the numbers follow the source's own ids, not ours.
    """

    as_of: date
    member_ids: Sequence[UUID]
    external_ids: Sequence[str]  # the source's own id; with the source before it where two sources use the same
    categories: Sequence[str]
    departments: Sequence[str]
    category_baby: Ints  # index into BABY_CLASSES
    orders: Table
    baskets: Table
    returns: Table

    @property
    def members(self) -> int:
        return len(self.member_ids)

    def before(self, cut_off: date) -> "History":
        """The same, as it was known at 00:00 of an earlier date."""
        assert cut_off <= self.as_of, "a history does not know the future"
        orders, baskets, returns = (
            {column: values[: _position(table, cut_off)] for column, values in table.items()}
            for table in (self.orders, self.baskets, self.returns)
        )
        return replace(self, as_of=cut_off, orders=orders, baskets=baskets, returns=returns)

    def every(self, nth: int) -> "History":
        """The same of every nth member only, under their own numbers: enough to learn from where there are many."""
        if nth <= 1:
            return self
        orders, baskets, returns = (
            {column: values[table["member"] % nth == 0] for column, values in table.items()}
            for table in (self.orders, self.baskets, self.returns)
        )
        return replace(self, orders=orders, baskets=baskets, returns=returns)

    def between(self, table: Table, start: date, end: date) -> Table:
        """The rows of one table in [start, end): what a label looks at."""
        assert end <= self.as_of, "a label window ends before what is known does"
        low, high = _position(table, start), _position(table, end)
        return {column: values[low:high] for column, values in table.items()}

    @cached_property
    def first_day(self) -> date | None:
        """The day of the first order."""
        at = self.orders["at_s"]
        return day_date(int(at[0]) // DAY_SECONDS) if at.size else None

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 of everything known, whatever the order in which the database gave it."""
        digest = hashlib.sha256(self.as_of.isoformat().encode())
        for name in (*self.external_ids, *self.categories, *self.departments):
            digest.update(name.encode() + b"\0")
        for table in (self.orders, self.baskets, self.returns):
            for values in table.values():
                digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def day_number(day: date) -> int:
    return (day - EPOCH).days


def day_date(number: int) -> date:
    return EPOCH + timedelta(days=number)


def _position(table: Table, day: date) -> int:
    return int(np.searchsorted(table["at_s"], day_number(day) * DAY_SECONDS))


def midnight(day: date, zone: str) -> datetime:
    """00:00 of the day in the zone, as aware UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


async def load(connection: asyncpg.Connection, as_of: date, zone: str) -> History:
    """Everything before 00:00 of `as_of` in the zone, from one snapshot of the database. Reads only."""
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute("SELECT set_config('nestling.as_of', $1, true)", midnight(as_of, zone).isoformat())
        await connection.execute("SELECT set_config('nestling.zone', $1, true)", zone)
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(statement("scoring_dictionaries"))
        members = await connection.fetch("SELECT id, external_id, source FROM scoring_members ORDER BY no")
        categories = await connection.fetch("SELECT category, department, baby FROM scoring_categories ORDER BY no")
        return History(
            as_of=as_of,
            member_ids=[UUID(bytes=row["id"].bytes) for row in members],
            external_ids=_unambiguous([(row["source"], row["external_id"]) for row in members]),
            categories=[row["category"] for row in categories],
            departments=[row["department"] for row in categories],
            category_baby=np.array([row["baby"] for row in categories], dtype=np.int64),
            orders=await _copy_out(connection, "scoring_orders", ORDERS),
            baskets=_summed(await _copy_out(connection, "scoring_baskets", BASKETS)),
            returns=await _copy_out(connection, "scoring_returns", RETURNS),
        )


def _unambiguous(names: list[tuple[str, str]]) -> list[str]:
    if len({external_id for _, external_id in names}) == len(names):
        return [external_id for _, external_id in names]
    return [f"{source}:{external_id}" for source, external_id in names]


async def _copy_out(connection: asyncpg.Connection, name: str, widths: dict[str, int]) -> Table:
    """A statement's rows as columns: the binary form of COPY has fixed offsets when no column is null or text."""
    received = bytearray()

    async def receive(chunk: bytes) -> None:
        received.extend(chunk)

    await connection.copy_from_query(statement(name), output=receive, format="binary")
    row = np.dtype(
        [("count", ">i2")]
        + [part for column, width in widths.items() for part in ((f"{column}#", ">i4"), (column, f">i{width}"))]
    )
    rows = np.frombuffer(received, dtype=row, offset=COPY_HEADER_BYTES, count=(len(received) - 21) // row.itemsize)
    table = {column: rows[column].astype(np.int64) for column in widths}
    order = np.lexsort([table[column] for column in reversed(table) if column != "at_s"] + [table["at_s"]])
    return {column: values[order] for column, values in table.items()}


def _summed(lines: Table) -> Table:
    """The lines of one moment, member, category and baby class as one row, with how many there were."""
    keys = [lines[column] for column in ("at_s", "member", "category", "baby")]
    if not keys[0].size:
        return {**lines, "lines": keys[0]}
    starts = np.flatnonzero(np.concatenate(([True], np.logical_or.reduce([key[1:] != key[:-1] for key in keys]))))
    sums = {column: np.add.reduceat(lines[column], starts) for column in ("cents", "discount_cents")}
    counts = np.diff(np.concatenate((starts, [keys[0].size])))
    return {column: values[starts] for column, values in lines.items()} | sums | {"lines": counts}
