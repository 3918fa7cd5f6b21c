"""Rows of resolutions: what stands, read in two statements, and what is written, a statement a table."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias, cast
from uuid import UUID

import orjson

from domain.commerce.order_ingest import array
from domain.database import connection
from domain.people import merges
from domain.people.identities import SHAREABLE, IdentityKind
from domain.people.names import name_initials, name_key
from domain.people.provenance import said_by, system_of
from domain.people.registrations import GivenIdentity
from domain.people.resolution_plans import Added, Known, Person, Plan, Row, SortedOut
from domain.people.scopes import GONE, sees_member
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce_all
from domain.platform.clock import local_day
from domain.platform.ids import new_id
from domain.platform.parameters import Parameters

Held: TypeAlias = Sequence[Sequence[Any]]  # place among the keys, and a `Row`
HELD = """
SELECT g.n::int - 1 AS n, i.id, i.member_id, i.is_primary, i.verified_at IS NOT NULL AS is_verified,
       i.last_seen_at < $2 AS is_stale
FROM ROWS FROM (json_to_recordset($1::text::json) AS (kind text, namespace text, value text))
    WITH ORDINALITY AS g (kind, namespace, value, n)
JOIN identities i ON i.value = g.value AND i.kind = g.kind AND i.namespace = g.namespace
ORDER BY g.n, i.id
"""


def to_json(rows: list[dict[str, Any]]) -> str:
    """Rows as one text instead of a list a column: the driver looks at every element of a list."""
    return orjson.dumps(rows, default=str).decode()  # str: asyncpg has a UUID class of its own


async def held(keys: Sequence[GivenIdentity], seen_before: datetime) -> Held:
    """The rows of these identities; stale are those last seen before (business clock)."""
    told = [{"kind": one.kind, "namespace": one.namespace, "value": one.value} for one in keys]
    _, rows = await connection().execute_query(HELD, [to_json(told), seen_before])  # records, which are rows too
    return cast("Held", rows)


async def known_of(actor: Actor, keys: Sequence[GivenIdentity], rows: Held, asked: Sequence[SortedOut]) -> Known:
    """What stands of these identities, and, where a wish is not plain, of who holds them."""
    standing: list[list[Row]] = [[] for _ in keys]
    for n, *row in rows:
        standing[n].append(Row(*row))
    found = dict(zip(keys, standing, strict=True))
    hidden = await _hidden(actor, {row.member_id for those in standing for row in those})
    plain = [_own_of_one(one, found, hidden) for one in asked]
    doubtful: set[UUID] = set()
    for own, one in zip(plain, asked, strict=True):
        if not own:
            holders = [{row.member_id for row in found[identity]} for identity in (*one.naming, *one.evidence)]
            if len(set().union(*holders)) > 1 or not all(holders):
                doubtful.update(*holders)
    counts, gone = await _counted(doubtful)
    if gone:
        plain = [() if own and own[0].member_id in gone else own for own in plain]
    involved = {
        identity: found[identity]
        for own, one in zip(plain, asked, strict=True)
        if not own
        for identity in (*one.naming, *one.evidence)
    }
    return Known(plain, involved, counts, hidden, gone)


def _own_of_one(wish: SortedOut, found: dict[GivenIdentity, list[Row]], hidden: frozenset[UUID]) -> tuple[Row, ...]:
    """The rows of a wish that is plain: one each, primary and of one member whom the actor may see; else none.

    None, too, where a device comes first, which finds nobody by itself.
    """
    own: list[Row] = []
    if wish.evidence or not wish.naming or wish.naming[0].kind is IdentityKind.DEVICE:
        return ()
    for one in wish.naming:
        rows = found[one]
        if len(rows) != 1 or not rows[0].is_primary or (own and own[0].member_id != rows[0].member_id):
            return ()
        own.append(rows[0])
    return () if own[0].member_id in hidden else tuple(own)


async def _counted(members: set[UUID]) -> tuple[dict[tuple[UUID, IdentityKind, str], int], frozenset[UUID]]:
    """How many identities of a kind and issuer these members have, and which of them are gone."""
    if not members:
        return {}, frozenset()
    rows = await connection().execute_query_dict(
        f"SELECT m.id, m.status IN {GONE} AS is_gone, i.kind, i.namespace, count(*)::int AS n FROM members m "
        "JOIN identities i ON i.member_id = m.id WHERE m.id = ANY($1::uuid[]) GROUP BY m.id, i.kind, i.namespace",
        [sorted(members)],
    )
    counts = {(row["id"], IdentityKind(row["kind"]), row["namespace"]): row["n"] for row in rows}
    return counts, frozenset(row["id"] for row in rows if row["is_gone"])


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
        # To the hour, and by nobody who waits: whoever holds the row is seeing her now. By their places, which stay
        # while we hold them: joined to a batch, the whole table would be read.
        await connection().execute_query(
            "UPDATE identities SET last_seen_at = $2 WHERE ctid = ANY(ARRAY(SELECT i.ctid FROM identities i "
            "WHERE i.id = ANY($1::text::uuid[]) AND i.last_seen_at < $2 ORDER BY i.id FOR NO KEY UPDATE SKIP LOCKED))",
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


MAKE = """
WITH told AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::text::json) AS g (
        id uuid, home uuid, full_name text, name_key text, name_initials text, language text, jurisdiction text,
        time_zone text, joined_on date, channel text
    )
), homes AS (
    INSERT INTO households (id, source, external_id) SELECT home, $3, home::text FROM told
)
INSERT INTO members (id, household_id, full_name, name_key, name_initials, language, jurisdiction, time_zone, joined_on,
                     joined_channel, external_id, name_source, source, owner_id, store_id, joined_by_id)
SELECT g.*, g.id::text, CASE WHEN g.full_name IS NOT NULL THEN $2 END, $3, $4::uuid, $5::uuid, $4::uuid FROM told g
"""


async def _make(actor: Actor, persons: list[Person], now: datetime) -> None:
    told = []
    for person in persons:
        assert person.wish is not None
        wish, name = person.wish, (person.wish.full_name or "").strip() or None
        told.append(
            {
                "id": person.id, "home": new_id(), "full_name": name, "name_key": name_key(name) if name else None,
                "name_initials": name_initials(name) if name else None, "language": wish.language,
                "jurisdiction": wish.jurisdiction, "time_zone": wish.time_zone,
                "joined_on": local_day(now, wish.time_zone), "channel": wish.channel,
            }
        )  # fmt: skip
    await connection().execute_query(
        MAKE, [to_json(told), said_by(actor).value, system_of(actor), actor.staff_id, actor.store_id]
    )


INSERT = """
INSERT INTO identities (id, member_id, kind, namespace, value, is_synthetic, is_primary, first_seen_at, last_seen_at,
                        verified_by, verified_at)
SELECT g.id, g.member_id, g.kind, g.namespace, g.value, g.is_synthetic, $2, $3, $3,
       nullif(g.verified_by, ''), CASE WHEN g.verified_by <> '' THEN clock_timestamp() END
FROM ROWS FROM (json_to_recordset($1::text::json) AS (
    id uuid, member_id uuid, kind text, namespace text, value text, is_synthetic bool, verified_by text
)) WITH ORDINALITY AS g (id, member_id, kind, namespace, value, is_synthetic, verified_by, n)
ORDER BY g.n
"""


async def _insert(
    rows: list[Added], now: datetime, is_test_value: Callable[[IdentityKind, str], bool], *, is_primary: bool
) -> int:
    if not rows:
        return 0
    key = "(kind, namespace, value) WHERE is_primary" if is_primary else "(member_id, kind, namespace, value)"
    told = [
        {
            "id": new_id(), "member_id": row.person.id, "kind": row.identity.kind, "namespace": row.identity.namespace,
            "value": row.identity.value, "verified_by": row.wish.verified_by,
            "is_synthetic": row.wish.is_synthetic or is_test_value(row.identity.kind, row.identity.value),
        }
        for row in rows
    ]  # fmt: skip
    made = await connection().execute_query_dict(
        f"WITH made AS ({INSERT} ON CONFLICT {key} DO NOTHING RETURNING 1) SELECT count(*)::int AS n FROM made",
        [to_json(told), is_primary, now],
    )
    return int(made[0]["n"])
