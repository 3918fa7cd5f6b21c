"""Rows of resolutions: what stands, read in two statements, and what is written, a statement a table."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain.commerce.order_ingest import array
from domain.database import connection
from domain.people import merges
from domain.people.identities import SHAREABLE, IdentityKind
from domain.people.names import name_initials, name_key
from domain.people.provenance import said_by, system_of
from domain.people.registrations import GivenIdentity
from domain.people.resolution_plans import Added, Known, Person, Plan, Row
from domain.people.scopes import GONE, sees_member
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce_all
from domain.platform.clock import local_day
from domain.platform.ids import new_id
from domain.platform.parameters import Parameters

HELD = """
SELECT g.n::int - 1 AS n, i.id, i.member_id, i.is_primary, i.verified_at IS NOT NULL AS is_verified,
       i.last_seen_at < $2 AS is_stale
FROM ROWS FROM (json_to_recordset($1::text::json) AS (kind text, namespace text, value text))
    WITH ORDINALITY AS g (kind, namespace, value, n)
JOIN identities i ON i.value = g.value AND i.kind = g.kind AND i.namespace = g.namespace
ORDER BY g.n, i.id
"""


async def held(keys: Sequence[GivenIdentity], seen_before: datetime) -> list[dict[str, Any]]:
    """The rows of these identities by their place in `keys`; stale are those last seen before (business clock)."""
    # one text instead of lists: the driver looks at every element of a list
    told = orjson.dumps([{"kind": one.kind.value, "namespace": one.namespace, "value": one.value} for one in keys])
    return await connection().execute_query_dict(HELD, [told.decode(), seen_before])


async def known_of(
    actor: Actor, keys: Sequence[GivenIdentity], rows: list[dict[str, Any]], asked: Sequence[Sequence[GivenIdentity]]
) -> Known:
    """What stands of these identities, and of who holds them.

    A wish of identities that are all one member's own changes nothing about her: only the others' holders are counted.
    """
    found: dict[GivenIdentity, list[Row]] = {}
    for one in rows:
        row = Row(one["id"], one["member_id"], one["is_primary"], one["is_verified"], one["is_stale"])
        found.setdefault(keys[one["n"]], []).append(row)
    doubtful: set[UUID] = set()
    for identities in asked:
        holders = [{row.member_id for row in found.get(identity, ())} for identity in identities]
        if len(set().union(*holders)) > 1 or not all(holders):
            doubtful.update(*holders)
    hidden = await _hidden(actor, {one["member_id"] for one in rows})
    if not doubtful:
        return Known(found, {}, hidden, frozenset())
    counted = await connection().execute_query_dict(
        f"SELECT m.id, m.status IN {GONE} AS is_gone, i.kind, i.namespace, count(*)::int AS n FROM members m "
        "JOIN identities i ON i.member_id = m.id WHERE m.id = ANY($1::uuid[]) GROUP BY m.id, i.kind, i.namespace",
        [sorted(doubtful)],
    )
    return Known(
        found,
        {(row["id"], IdentityKind(row["kind"]), row["namespace"]): row["n"] for row in counted},
        hidden,
        frozenset(row["id"] for row in counted if row["is_gone"]),
    )


async def _hidden(actor: Actor, members: set[UUID]) -> frozenset[UUID]:
    """Which of the members the actor may not see; services and those who see everybody are not asked about."""
    parameters = Parameters()
    seen = sees_member(actor, parameters)
    if not members or seen == "TRUE":
        return frozenset()
    rows = await connection().execute_query_dict(
        f"SELECT m.id FROM members m WHERE m.id = ANY({parameters(sorted(members))}::uuid[]) AND {seen} IS NOT TRUE",
        parameters,
    )
    return frozenset(row["id"] for row in rows)


async def lock_members(member_ids: Sequence[UUID]) -> None:
    """Hold the members in the order of ids, as merges do, before any identity is written."""
    await connection().execute_query(
        "WITH held AS (SELECT id FROM members WHERE id = ANY($1::text::uuid[]) ORDER BY id FOR NO KEY UPDATE) "
        "SELECT count(*) FROM held",
        [array(member_ids)],
    )


async def write(actor: Actor, plan: Plan, now: datetime, is_test_value: Callable[[IdentityKind, str], bool]) -> None:
    """Write the plan. `now`: business clock. Raises MovedOn when somebody else was first with an identity."""
    new = list(dict.fromkeys(added.person for added in plan.added if added.person.wish is not None))
    if new:
        await _make(actor, new, now)
    rows = sorted(plan.added, key=lambda added: _order(added.identity))
    if rows:
        made = await _insert([row for row in rows if row.is_primary], now, is_test_value, is_primary=True)
        if made < sum(row.is_primary for row in rows):
            raise merges.MovedOn
        await _insert([row for row in rows if not row.is_primary], now, is_test_value, is_primary=False)
    if plan.seen:
        # to the hour, and by nobody who waits: whoever holds the row is seeing her now
        await connection().execute_query(
            "UPDATE identities i SET last_seen_at = $2 FROM (SELECT id FROM identities "
            "WHERE id = ANY($1::text::uuid[]) AND last_seen_at < $2 ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) g "
            "WHERE i.id = g.id",
            [array(plan.seen), now],
        )
    if plan.verified:
        await connection().execute_query(
            "UPDATE identities i SET verified_at = coalesce(i.verified_at, clock_timestamp()), "
            "verified_by = coalesce(i.verified_by, g.by) "
            "FROM unnest($1::uuid[], $2::text[]) AS g (id, by) WHERE i.id = g.id",
            [list(plan.verified), [by for _, by in plan.verified.values()]],
        )
    await announce_all(MEMBER_TIMELINE, {row.person.id for row in plan.added})


def _order(identity: GivenIdentity) -> tuple[bool, str, str, str]:
    """One order for everybody who writes identities: those of one person first, phones last."""
    return identity.kind in SHAREABLE, identity.kind.value, identity.namespace, identity.value


async def _make(actor: Actor, persons: list[Person], now: datetime) -> None:
    homes = [new_id() for _ in persons]
    system = system_of(actor)
    await connection().execute_query(
        "INSERT INTO households (id, source, external_id) SELECT h, $2, h::text FROM unnest($1::uuid[]) AS h",
        [homes, system],
    )
    columns: list[list[Any]] = [[] for _ in range(10)]
    for person, home in zip(persons, homes, strict=True):
        assert person.wish is not None
        wish, name = person.wish, (person.wish.full_name or "").strip() or None
        values = (
            person.id, home, name, name_key(name) if name else None, name_initials(name) if name else None,
            wish.language, wish.jurisdiction, wish.time_zone, local_day(now, wish.time_zone),
            wish.channel and wish.channel.value,
        )  # fmt: skip
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    await connection().execute_query(
        "INSERT INTO members (id, household_id, full_name, name_key, name_initials, language, jurisdiction, time_zone, "
        "joined_on, joined_channel, external_id, name_source, source, owner_id, store_id, joined_by_id) "
        "SELECT g.*, g.id::text, CASE WHEN g.full_name IS NOT NULL THEN $11 END, $12, $13::uuid, $14::uuid, $13::uuid "
        "FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], "
        "$9::date[], $10::text[]) AS g (id, home, full_name, name_key, name_initials, language, jurisdiction, zone, "
        "joined_on, channel)",
        [*columns, said_by(actor).value, system, actor.staff_id, actor.store_id],
    )


INSERT = """
INSERT INTO identities (id, member_id, kind, namespace, value, is_synthetic, is_primary, first_seen_at, last_seen_at,
                        verified_by, verified_at)
SELECT g.id, g.member_id, g.kind, g.namespace, g.value, g.is_synthetic, $7, $8, $8,
       nullif(g.verified_by, ''), CASE WHEN g.verified_by <> '' THEN clock_timestamp() END
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bool[], $9::text[])
    WITH ORDINALITY AS g (id, member_id, kind, namespace, value, is_synthetic, verified_by, n)
ORDER BY g.n
"""


async def _insert(
    rows: list[Added], now: datetime, is_test_value: Callable[[IdentityKind, str], bool], *, is_primary: bool
) -> int:
    if not rows:
        return 0
    key = "(kind, namespace, value) WHERE is_primary" if is_primary else "(member_id, kind, namespace, value)"
    made = await connection().execute_query_dict(
        f"WITH made AS ({INSERT} ON CONFLICT {key} DO NOTHING RETURNING 1) SELECT count(*)::int AS n FROM made",
        [
            [new_id() for _ in rows], [row.person.id for row in rows], [row.identity.kind.value for row in rows],
            [row.identity.namespace for row in rows], [row.identity.value for row in rows],
            [row.wish.is_synthetic or is_test_value(row.identity.kind, row.identity.value) for row in rows],
            is_primary, now, [row.wish.verified_by for row in rows],
        ],
    )  # fmt: skip
    return int(made[0]["n"])
