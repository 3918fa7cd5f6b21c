"""resolve: who is meant by what channels know, in batches, against a bare indexed upsert of the same identities.

Ours: blocked values left out, holders found, doubts and limits seen to, members locked, new ones made with a household,
identities inserted, last seen kept; 80% of the wishes name known members, each by a card and a phone. The floor is told
who everybody is: one INSERT ... ON CONFLICT DO UPDATE of the same rows into a table of one unique index, nothing else.
"""

import gc
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
from tortoise import Tortoise

from bench.databases import connected
from bench.harness import Bench, Reading, Result, compare
from bench.spec import CLOCK, Spec
from bench.world import world
from domain.commerce.staff import RowScope
from domain.database import tortoise_config
from domain.people.identities import IdentityKind
from domain.people.registrations import GivenIdentity
from domain.people.resolution_plans import Wish
from domain.people.resolutions import MemberResolved, resolve_all
from domain.platform.actors import Actor
from domain.platform.ids import new_id
from domain.platform.roles import PERMISSIONS, Role

BATCH = 1_000
BATCHES = 10
"""Batches in a turn."""
KNOWN = 0.8
FLOOR = """
CREATE TABLE bare (
    kind varchar(32) NOT NULL, namespace varchar(64) NOT NULL, value varchar(320) NOT NULL, member_id uuid NOT NULL,
    last_seen_at timestamptz NOT NULL
);
INSERT INTO bare SELECT kind, namespace, value, member_id, last_seen_at FROM identities WHERE is_primary;
CREATE UNIQUE INDEX ON bare (kind, namespace, value);
ANALYZE bare;
"""
UPSERT = """
INSERT INTO bare (kind, namespace, value, member_id, last_seen_at)
SELECT g.*, $5 FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[]) AS g (kind, namespace, value, member_id)
ON CONFLICT (kind, namespace, value) DO UPDATE SET last_seen_at = excluded.last_seen_at
RETURNING member_id
"""
APART = """
SELECT count(*) FILTER (WHERE b.value IS NULL) AS missing, count(*) AS identities,
       count(DISTINCT i.member_id) <> count(DISTINCT b.member_id) AS others
FROM identities i LEFT JOIN bare b USING (kind, namespace, value)
WHERE i.is_primary
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """The same people for both sides; whom the floor is told to be who."""

    wishes: list[Wish]
    rows: list[tuple[str, str, str, UUID]]


async def resolve(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """The bench on one world. Raises when the two sides did not know the same people in the end."""
    async with world(server_url, spec, "nestling_bench_resolve") as database, connected(database) as connection:
        await Tortoise.init(config=tortoise_config(database), _enable_global_fallback=True)
        try:
            await connection.execute(FLOOR)
            turns = [await _batches(connection, spec, turn) for turn in range(rounds + 1)]
            gc.collect()
            gc.freeze()  # the people of all turns are the bench's, and no side's to look through
            mine, theirs = iter(turns), iter(turns)
            token = new_id()
            actor = Actor(
                id=token, role=Role.FRONTEND, scope=RowScope.ALL, token_id=token,
                permissions=PERMISSIONS[Role.FRONTEND],
            )  # fmt: skip

            async def ours() -> Reading:
                return await _resolve(actor, next(mine))

            async def floor() -> Reading:
                return await _upsert(connection, next(theirs))

            size = f"{BATCHES} batches of {BATCH:,} wishes of two identities a turn, {KNOWN:.0%} of members known"
            bench = Bench("resolve", "ms a wish", 3.0, f"{size}, {spec.members:,} members", better="lower")
            result = await compare(bench, ours, floor, rounds=rounds)
            apart = await connection.fetchrow(APART)
            assert apart["identities"] > spec.members, "nobody was resolved"
            assert not apart["missing"], f"{apart['missing']} identities differ"
            assert not apart["others"], "the sides know different people"
            return [result]
        finally:
            await Tortoise.close_connections()


async def _resolve(actor: Actor, batches: list[Batch]) -> Reading:
    started = time.perf_counter()
    for batch in batches:
        outcomes = await resolve_all(actor, batch.wishes)
        assert all(isinstance(one, MemberResolved) for one in outcomes)
    return Reading(1000 * (time.perf_counter() - started) / (len(batches) * BATCH))


async def _upsert(connection: asyncpg.Connection, batches: list[Batch]) -> Reading:
    seen = CLOCK + timedelta(hours=2)
    started = time.perf_counter()
    for batch in batches:
        columns = [list(column) for column in zip(*batch.rows, strict=True)]
        assert len(await connection.fetch(UPSERT, *columns, seen)) == len(batch.rows)
    return Reading(1000 * (time.perf_counter() - started) / (len(batches) * BATCH))


async def _batches(connection: asyncpg.Connection, spec: Spec, turn: int) -> list[Batch]:
    """Known members by the card and phone that they have, others by a card and a phone that nobody has."""
    rows = await connection.fetch(
        "SELECT c.member_id, c.namespace, c.value AS card, p.value AS phone FROM identities c "
        "JOIN identities p ON p.member_id = c.member_id AND p.kind = 'PHONE' AND p.is_primary "
        "WHERE c.kind = 'CARD' AND c.is_primary ORDER BY c.member_id"
    )
    rng = spec.rng(turn, 99)
    order = spec.rng(99).permutation(len(rows))  # nobody twice while there is somebody else: all are seen anew
    found = []
    for number in range(BATCHES):
        wishes, told = [], []
        first = (turn * BATCHES + number) * BATCH
        for place in range(BATCH):
            who = rows[order[(first + place) % len(rows)]]
            member, issuer, card, phone = who["member_id"], who["namespace"], who["card"], who["phone"]
            if rng.random() >= KNOWN:
                member, card, phone = new_id(), f"new-{first + place}", f"+888{first + place:09}"
            given = (GivenIdentity(IdentityKind.CARD, card, issuer), GivenIdentity(IdentityKind.PHONE, phone))
            wishes.append(Wish(given, is_synthetic=True))
            told += [(one.kind.value, one.namespace, one.value, member) for one in given]
        found.append(Batch(wishes, told))
    return found
