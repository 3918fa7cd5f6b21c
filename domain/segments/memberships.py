"""Memberships: who is in which segment, worked out in one pass for sixty rules, and written only where it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.clock import local_day
from domain.platform.parameters import Parameters
from domain.segments.compiling import Moment, asks_the_day, compile_rule, this_moment
from domain.segments.facts import rebuild, take_changes
from domain.segments.segments import WORD, Live, live_segments, lock, place_of

MOST_MOVED = 100_000  # members that are found at a time
MOST_WRITTEN = 10_000  # of them, in one statement
Moved = tuple[list[UUID], list[int], list[int]]  # members, the bits they had, the bits they have


@dataclass(frozen=True, slots=True)
class KeptUp:
    """What a step did; `is_behind` when there is more of it."""

    changed: int = 0  # members whose facts were looked at
    moved: int = 0  # members who came into a segment or left one
    is_behind: bool = False


async def keep_up() -> KeptUp:
    """Bring facts and memberships to where things stand: what changed since, new rules, local midnights. Idempotent.

    One transaction; while one worker is at it, others do nothing. Killed in the middle, nothing has happened.
    """
    async with in_transaction():
        if not await lock(wait=False):
            return KeptUp()
        changes = await take_changes()
        if changes.all_facts:
            await rebuild()
        elif changes.members:
            await rebuild(changes.members)
        if changes.all_facts or changes.members:
            await _forget_the_gone(None if changes.all_facts else changes.members)
        segments, moment = await live_segments(), await this_moment()
        if changes.everybody:
            moved = await work_out(segments, moment)
            await _remember_the_day(moment, [zone for day in moment.days for zone in day.zones])
        else:
            moved = await work_out([one for one in segments if one.is_stale], moment)
            moved += await _at_midnight(segments, moment)
            if changes.members:
                moved += await work_out(segments, moment, changes.members)
        await _mark([one for one in segments if one.is_stale or changes.everybody], moment)
        return KeptUp(len(changes.members), moved, is_behind=bool(changes.members) and not changes.everybody)


async def refresh() -> int:
    """Work every segment out for everybody in one pass; answers how many members moved."""
    async with in_transaction():
        await lock()
        segments, moment = await live_segments(), await this_moment()
        moved = await work_out(segments, moment)
        await _mark(segments, moment)
        return moved


async def work_out(
    segments: Sequence[Live], moment: Moment, members: Sequence[UUID] | None = None, zones: Sequence[str] | None = None
) -> int:
    """Who comes into the segments or leaves them, written; answers how many did. None: whoever and wherever."""
    count = 0
    for word in sorted({one.place // WORD for one in segments}):
        some = [one for one in segments if one.place // WORD == word]
        while True:
            moved = await moving(some, moment, members, zones)
            await _move(some, moved, moment)
            count += len(moved[0])
            if len(moved[0]) < MOST_MOVED:
                break
    return count


async def moving(
    segments: Sequence[Live], moment: Moment, members: Sequence[UUID] | None = None, zones: Sequence[str] | None = None
) -> Moved:
    """Members whose bits of these segments, all of one number, are not as the rules have them. One statement."""
    parameters = Parameters()
    among = "" if members is None else f"{parameters(list(members))}::uuid[]"
    where = ["TRUE", *([f"f.member_id = ANY({among})"] if among else [])]
    where += [f"f.time_zone = ANY({parameters(list(zones))}::text[])"] if zones is not None else []
    word, mask = place_of(segments[0].place)[0], sum(place_of(one.place)[1] for one in segments)
    bits = " | ".join(
        f"CASE WHEN {compile_rule(one.tree, moment, parameters, among)} THEN {place_of(one.place)[1]}::bigint "
        "ELSE 0::bigint END"
        for one in segments
    )
    had = f"(coalesce(f.segment_bits[{word}], 0) & {mask}::bigint)"
    asked = f"SELECT f.member_id, {had} AS had, {bits} AS has FROM member_facts f WHERE {' AND '.join(where)}"
    if among:  # of the few whose facts have changed most have moved: asked once
        asked = f"SELECT * FROM ({asked} OFFSET 0) y WHERE (y.had # y.has) > 0"
    else:
        # In WHERE, not around a subquery: PostgreSQL's workers leave out whoever has not moved, and only of the few
        # others are the rules asked once more. `# ... > 0` for `<>`: it then takes a third to have moved, not all.
        asked = f"{asked} AND ({had} # ({bits})) > 0"
    rows = await connection().execute_query_dict(
        "SELECT array_agg(x.member_id) AS members, array_agg(x.had) AS had, array_agg(x.has) AS has "
        f"FROM ({asked} LIMIT {MOST_MOVED}) x",
        parameters,
    )
    found: dict[str, Any] = rows[0]
    return (found["members"] or [], found["had"] or [], found["has"] or [])


MOVE = """
WITH moved AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS moved(member_id, has)
), facts AS (
    UPDATE member_facts f SET segment_bits[{word}] = (coalesce(f.segment_bits[{word}], 0) & ~$3::bigint) | m.has
    FROM moved m WHERE f.member_id = m.member_id
), came AS (
    INSERT INTO segment_members (segment_id, member_id, since)
    SELECT c.segment_id, c.member_id, $4 FROM unnest($5::uuid[], $6::uuid[]) AS c(segment_id, member_id)
    ON CONFLICT (segment_id, member_id) DO NOTHING
    RETURNING segment_id
), went AS (
    DELETE FROM segment_members sm USING unnest($7::uuid[], $8::uuid[]) AS w(segment_id, member_id)
    WHERE sm.segment_id = w.segment_id AND sm.member_id = w.member_id
    RETURNING sm.segment_id
), sums AS (
    SELECT segment_id, sum(n)::int AS n
    FROM (SELECT segment_id, 1 AS n FROM came UNION ALL SELECT segment_id, -1 FROM went) one GROUP BY segment_id
)
UPDATE segments s SET member_count = s.member_count + sums.n FROM sums WHERE s.id = sums.segment_id
"""


async def _move(segments: Sequence[Live], moved: Moved, moment: Moment) -> None:
    word, mask = place_of(segments[0].place)[0], sum(place_of(one.place)[1] for one in segments)
    rows = sorted(zip(*moved, strict=True))
    for first in range(0, len(rows), MOST_WRITTEN):
        some = rows[first : first + MOST_WRITTEN]
        members, after = [member for member, _, _ in some], [has for _, _, has in some]
        came = _pairs(segments, [(member, has & ~had) for member, had, has in some])
        went = _pairs(segments, [(member, had & ~has) for member, had, has in some])
        await connection().execute_query(
            MOVE.replace("{word}", str(word)), [members, after, mask, moment.now, *came, *went]
        )


def _pairs(segments: Sequence[Live], bits: list[tuple[UUID, int]]) -> tuple[list[UUID], list[UUID]]:
    """Segments and members side by side, one pair for each bit, in the order of the index that they are looked up in.

    Told apart here: of the lists' lengths PostgreSQL knows whether to look up a few or to read a table.
    """
    found: tuple[list[UUID], list[UUID]] = ([], [])
    some = [one for one in bits if one[1]]
    for segment in sorted(segments, key=lambda one: one.id):
        bit = place_of(segment.place)[1]
        members = [member for member, those in some if those & bit]
        found[0].extend([segment.id] * len(members))
        found[1].extend(members)
    return found


async def _at_midnight(segments: Sequence[Live], moment: Moment) -> int:
    """Where a local day has begun, the rules that speak of days are asked anew of whoever lives there."""
    known = await connection().execute_query_dict("SELECT time_zone, day FROM member_zones")
    zones = [row["time_zone"] for row in known if row["day"] != local_day(moment.now, row["time_zone"])]
    if not zones:
        return 0
    daily = [one for one in segments if asks_the_day(one.tree, moment.trees)]
    moved = await work_out(daily, moment, zones=zones)
    await _remember_the_day(moment, zones)
    return moved


async def _remember_the_day(moment: Moment, zones: Sequence[str]) -> None:
    days = [local_day(moment.now, zone) for zone in zones]
    await connection().execute_query(
        "UPDATE member_zones z SET day = n.day FROM unnest($1::text[], $2::date[]) AS n(zone, day) "
        "WHERE z.time_zone = n.zone",
        [list(zones), days],
    )


async def _mark(segments: Sequence[Live], moment: Moment) -> None:
    await connection().execute_query(
        "UPDATE segments SET is_stale = false, refreshed_at = $2 WHERE id = ANY($1::uuid[])",
        [[one.id for one in segments], moment.now],
    )


async def _forget_the_gone(members: Sequence[UUID] | None) -> None:
    """Whoever has no facts any more, because she was erased, is in no segment and counted in none."""
    asked = "SELECT DISTINCT member_id FROM segment_members" if members is None else "SELECT unnest($1::uuid[])"
    rows = await connection().execute_query_dict(
        f"SELECT x.id FROM ({asked}) x(id) WHERE NOT EXISTS (SELECT FROM member_facts f WHERE f.member_id = x.id)",
        [] if members is None else [list(members)],
    )
    if not rows:
        return
    await connection().execute_query(
        "DELETE FROM segment_members sm WHERE sm.segment_id IN (SELECT s.id FROM segments s) "
        "AND sm.member_id = ANY($1::uuid[])",
        [[row["id"] for row in rows]],
    )
    # Counted anew: erasing took her rows already, and touches no segment, so as never to wait for a refresh crosswise.
    await connection().execute_query(
        "UPDATE segments s SET member_count = coalesce(n.members, 0) FROM segments t LEFT JOIN (SELECT segment_id, "
        "count(*)::int AS members FROM segment_members GROUP BY segment_id) n ON n.segment_id = t.id "
        "WHERE s.id = t.id AND s.member_count <> coalesce(n.members, 0)"
    )
