"""Any script of merges and unmerges comes back to the byte: random ones, several at once, beside what arrives between.

A script is data made of its number alone: a failure names it with its steps, and `SCRIPTS=17,18` runs only those.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import pytest

from domain.database import connection
from domain.people import merges
from domain.people.failures import MemberNotFound
from domain.people.members import Member
from domain.people.merge_rules import Rule, tables
from domain.people.merges import KeptApart, MembersMerged, MembersUnmerged
from domain.platform.actors import Actor
from domain.platform.clock import set_business_clock
from domain.platform.ids import new_id
from domain.platform.roles import Role
from tests import factories as make
from tests.domain.people.merging import digest, every_row, people

VILLAGES, EACH = 4, 7
TIDY = 100  # scripts
KEPT = [table for table in tables(Rule.MOVES) if table != "interactions"]
# At any moment: who is gone leads to who is there, holds nothing, and no row of what moves is lost or doubled. That an
# identity has no two primary holders, the database sees to; that none loses hers (but the shared in quarantine, who
# have none) is asked here.
INVARIANTS = f"""
SELECT (SELECT count(*) FROM members m JOIN members t ON t.id = m.merged_into_id WHERE t.merged_into_id IS NOT NULL)
       + (SELECT count(*) FROM members WHERE (status = 'MERGED') <> (merged_into_id IS NOT NULL)) AS led_astray,
       {
    " + ".join(
        f"(SELECT count(*) FROM {table} t JOIN members m ON m.id = t.member_id WHERE m.merged_into_id IS NOT NULL)"
        for table in (*tables(Rule.MOVES), *tables(Rule.COMBINES))
    )
} AS left_behind,
       (SELECT count(*) FROM (SELECT FROM identities GROUP BY kind, namespace, value
        HAVING count(*) FILTER (WHERE is_primary) <> 1) one) AS led_by_none,
       {", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in KEPT)}
"""


@dataclass(frozen=True, slots=True)
class Step:
    """What is done next: with members by their place, of the merges that stand the n-th."""

    verb: str
    one: int = 0
    other: int = 0


def script(number: int) -> list[Step]:
    """Merges, chains of them and refused ones; unmerges of any that stands; visits under any name; then all undone."""
    rng = Random(number)
    steps: list[Step] = []
    for _ in range(rng.randrange(2, 7)):
        chance = rng.random()
        if steps and chance < 0.3:
            steps.append(Step("unmerge", rng.randrange(EACH)))
        elif steps and chance < 0.45:
            steps.append(Step("visit", rng.randrange(EACH)))
        else:
            steps.append(Step("merge", *rng.sample(range(EACH), 2)))
            if rng.random() < 0.2:
                steps.append(Step("forgive"))
    return [*steps, *(Step("unmerge", rng.randrange(EACH)) for _ in range(EACH))]


@dataclass(slots=True)
class Village:
    """Families who know nobody else, with what a script did to them."""

    actor: Actor
    members: list[Member]
    standing: list[MembersMerged] = field(default_factory=list)
    apart: set[frozenset[UUID]] = field(default_factory=set)
    visits: dict[UUID, UUID] = field(default_factory=dict)  # visit -> who came

    def who(self, member: UUID) -> UUID:
        into = {one.absorbed_id: one.member_id for one in self.standing}
        while member in into:
            member = into[member]
        return member

    async def run(self, steps: Sequence[Step], *, looks: bool) -> None:
        await self.forgive()
        for step in steps:
            await {"merge": self.merge, "unmerge": self.unmerge, "visit": self.visit, "forgive": self.sorry}[step.verb](
                step
            )
            if looks and step.verb != "forgive":
                await self.look()
        assert not self.standing
        await self.leave()

    async def merge(self, step: Step) -> None:
        one, other = self.members[step.one].id, self.members[step.other].id
        answer = await merges.merge(self.actor, one, other)
        if self.who(one) != one or self.who(other) != other:
            assert answer == MemberNotFound()
        elif any(frozenset(map(self.who, pair)) == {one, other} for pair in self.apart):
            assert isinstance(answer, KeptApart)
        else:
            assert isinstance(answer, MembersMerged)
            self.standing.append(answer)

    async def unmerge(self, step: Step) -> None:
        if self.standing:
            one = self.standing.pop(step.one % len(self.standing))
            assert isinstance(await merges.unmerge(self.actor, one.merge_id, "Two people."), MembersUnmerged)
            self.apart.add(frozenset((one.member_id, one.absorbed_id)))

    async def visit(self, step: Step) -> None:
        """Under whatever name she is known there: it is whose she is now, and hers again when all is undone."""
        visit, member = new_id(), self.members[step.one].id
        await connection().execute_query(
            "INSERT INTO interactions (id, member_id, kind, channel, direction, occurred_at, topic, source, "
            "external_id) VALUES ($1::uuid, $2, 'VISIT', 'STORE', 'INBOUND', $3, 'Sleep', 'desk', $1::uuid::text)",
            [visit, member, make.NOON],
        )
        rows = await connection().execute_query_dict("SELECT member_id FROM interactions WHERE id = $1", [visit])
        assert rows == [{"member_id": self.who(member)}]
        self.visits[visit] = member

    async def sorry(self, _: Step) -> None:
        await self.forgive()

    async def forgive(self) -> None:
        """Nobody is kept apart any more: else what was parted once is never merged again."""
        await connection().execute_query(
            "DELETE FROM merge_suggestions WHERE one_id = ANY($1::uuid[])", [[member.id for member in self.members]]
        )
        self.apart.clear()

    async def look(self) -> None:
        rows = await connection().execute_query_dict(
            "SELECT id, merged_into_id FROM members WHERE id = ANY($1::uuid[])", [[one.id for one in self.members]]
        )
        led = {row["id"]: row["merged_into_id"] or row["id"] for row in rows}
        assert led == {one.id: self.who(one.id) for one in self.members}

    async def leave(self) -> None:
        """The visits are everybody's own again; without them the village is as it was."""
        rows = await connection().execute_query_dict(
            "DELETE FROM interactions WHERE id = ANY($1::uuid[]) RETURNING id, member_id", [list(self.visits)]
        )
        assert {row["id"]: row["member_id"] for row in rows} == self.visits
        self.visits.clear()


async def invariants() -> dict[str, int]:
    return dict((await connection().execute_query_dict(INVARIANTS))[0])


def rounds(count: int) -> list[list[int]]:
    """One for each village at once; those that somebody asked for one after the other."""
    chosen = os.environ.get("SCRIPTS")
    if chosen:
        return [[int(one)] for one in chosen.split(",")]
    return [list(range(first, first + VILLAGES)) for first in range(0, count, VILLAGES)]


@pytest.mark.parametrize(
    "scripts",
    [
        pytest.param(1_000, marks=pytest.mark.timeout(300)),
        pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
    ],
)
async def test_any_script_of_merges_and_unmerges_comes_back_to_the_byte(db: str, scripts: int) -> None:
    """One in each village at once; after each round every row of every table is as it was."""
    await set_business_clock(make.NOON)
    actor = await make.make_actor(Role.OPERATOR)
    villages = [Village(actor, await people(EACH, Random(60 + n), village=n)) for n in range(VILLAGES)]
    rows, before, well = await every_row(), await digest(), await invariants()
    assert (well["led_astray"], well["left_behind"]) == (0, 0)
    for asked in rounds(scripts):
        if asked[0] % TIDY == 0:
            await connection().execute_script("VACUUM")  # the same few rows are written over and over
        told = {n: script(n) for n in asked}
        running = [
            asyncio.create_task(villages[n % VILLAGES].run(steps, looks=n % 8 < VILLAGES), name=str(n))
            for n, steps in told.items()
        ]
        while pending := {task for task in running if not task.done()}:
            assert await invariants() == well, told
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        failed = {int(task.get_name()): task.exception() for task in running if task.exception()}
        assert not failed, [(n, script(n), failed[n]) for n in failed]
        if await digest() != before:
            now = await every_row()
            assert {table: [row for row in now[table] if row not in rows[table]] for table in now} == {}, told
