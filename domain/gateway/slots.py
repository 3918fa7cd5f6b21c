"""Attention slots: taken in the claim's transaction, never beyond the cap, given back when provably unsent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from domain.database import connection
from domain.outreach.attention import ORDER, Counts, Window, start_of

TAKE = """
WITH wish AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::int[]) AS w(member_id, kind, start, cap)
)
INSERT INTO attention_slots AS s (member_id, window_kind, window_start, used)
SELECT member_id, kind, start, 1 FROM wish WHERE cap > 0 ORDER BY member_id, kind
ON CONFLICT (member_id, window_kind, window_start) DO UPDATE SET used = s.used + 1
    WHERE s.used < (SELECT w.cap FROM wish w WHERE w.member_id = s.member_id AND w.kind = s.window_kind)
RETURNING member_id, window_kind, window_start
"""
GIVE_BACK = """
UPDATE attention_slots s SET used = s.used - g.n FROM (
    SELECT h.id, w.n FROM (
        SELECT member_id, kind, start, count(*) AS n FROM unnest($1::uuid[], $2::text[], $3::date[])
            AS w(member_id, kind, start) GROUP BY 1, 2, 3
    ) w JOIN attention_slots h ON h.member_id = w.member_id AND h.window_kind = w.kind AND h.window_start = w.start
    ORDER BY w.member_id, w.kind, w.start FOR UPDATE OF h
) g
WHERE s.id = g.id AND s.used >= g.n
"""


@dataclass(frozen=True, slots=True)
class SlotWish:
    """A touch of a member on her local day. `caps`: how many her windows may hold before it."""

    member_id: UUID
    day: date
    caps: Counts


async def take_slots(wishes: Iterable[SlotWish]) -> set[UUID]:
    """The members who got one in every window. Binding whatever the number of workers: rows decide, not what was read.

    At most one wish a member. Part of the caller's transaction: a rollback gives the slots back.
    """
    rows = [
        (wish.member_id, window.value, start_of(window, wish.day), wish.caps.of(window))
        for wish in wishes
        for window in ORDER
    ]
    if not rows:
        return set()
    taken = await connection().execute_query_dict(TAKE, [list(column) for column in zip(*rows, strict=True)])
    count: dict[UUID, int] = {}
    for row in taken:
        count[row["member_id"]] = count.get(row["member_id"], 0) + 1
    await _give_back(
        (row["member_id"], row["window_kind"], row["window_start"])
        for row in taken
        if count[row["member_id"]] < len(Window)
    )
    return {member for member, n in count.items() if n == len(Window)}


async def give_back_slots(slots: Iterable[tuple[UUID, date]]) -> None:
    """Return slots, by member and local day, of touches that were certainly not made. In the caller's transaction."""
    await _give_back((member, window.value, start_of(window, day)) for member, day in slots for window in ORDER)


async def _give_back(rows: Iterable[tuple[UUID, str, date]]) -> None:
    given = list(rows)
    if given:
        await connection().execute_query(GIVE_BACK, [list(column) for column in zip(*given, strict=True)])
