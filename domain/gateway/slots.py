"""Attention slots: taken in the claim's transaction, never beyond the cap, given back when provably unsent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from uuid import UUID

from domain.database import connection


@dataclass(frozen=True, slots=True, order=True)
class SlotWish:
    cap: int
    member_id: UUID
    week: date


async def take_slots(wishes: Iterable[SlotWish]) -> set[UUID]:
    """The members who got one. Binding whatever the number of workers: the row decides, not what somebody read.

    At most one wish a member. Part of the caller's transaction: a rollback gives the slots back.
    """
    got: set[UUID] = set()
    for cap, group in groupby(sorted(wish for wish in wishes if wish.cap > 0), key=lambda wish: wish.cap):
        members = list(group)
        rows = await connection().execute_query_dict(
            "INSERT INTO attention_slots AS s (member_id, window_kind, window_start, used) "
            "SELECT member, 'WEEK', week, 1 FROM unnest($1::uuid[], $2::date[]) AS w(member, week) ORDER BY member "
            "ON CONFLICT (member_id, window_kind, window_start) DO UPDATE SET used = s.used + 1 WHERE s.used < $3 "
            "RETURNING member_id",
            [[wish.member_id for wish in members], [wish.week for wish in members], cap],
        )
        got |= {row["member_id"] for row in rows}
    return got


async def give_back_slots(slots: Iterable[tuple[UUID, date]]) -> None:
    """Return slots of touches that were certainly not made. Part of the caller's transaction."""
    given = sorted(slots)
    if not given:
        return
    await connection().execute_query(
        "UPDATE attention_slots s SET used = s.used - g.n FROM ("
        "SELECT member, week, count(*) AS n FROM unnest($1::uuid[], $2::date[]) AS w(member, week) GROUP BY 1, 2) g "
        "WHERE s.member_id = g.member AND s.window_kind = 'WEEK' AND s.window_start = g.week AND s.used >= g.n",
        [[member for member, _ in given], [week for _, week in given]],
    )
