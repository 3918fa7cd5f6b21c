"""Any script of merges and unmerges comes back to the byte: random ones, several at once, beside what arrives between.

A script is data made of its number alone: a failure names the one that failed with its steps, and `SCRIPTS=17,18` runs
only those, one after the other.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.database import connection
from domain.people import merges, tags
from domain.people.failures import MemberNotFound
from domain.people.members import Member
from domain.people.merge_rules import KEYS, Rule, tables
from domain.people.merges import KeptApart, MembersMerged, MembersUnmerged
from domain.platform.actors import Actor
from domain.platform.clock import set_business_clock
from domain.platform.ids import new_id
from domain.platform.roles import Role
from tests import factories as make
from tests.domain.people.merging import digest, every_row, people

VILLAGES, EACH = 4, 7
TIDY = 100  # scripts
TAGS = ("arrived.first", "arrived.second")
ARRIVING: dict[
    str, tuple[dict[str, str | None], list[str]]
] = {  # table -> what marks a row that arrived, and its columns that are nobody else's
    "orders": ({"payload_hash": "arrived"}, ["external_id"]),
    "interactions": ({"topic": "arrived"}, ["external_id"]),
    "messages": ({"template_key": "arrived", "baby_id": None}, ["intent_key", "provider_key"]),
    "callback_tasks": ({"reason_code": "arrived", "baby_id": None}, ["intent_key"]),
    "decisions": ({"rules_version": "arrived"}, ["intent_key"]),
    "suppressions": ({"reason": "WRONG_NUMBER"}, ["address_hash"]),
    "consents": ({"how": "arrived"}, []),
    "guardian_consents": ({"how": "arrived"}, []),
    "owner_assignments": ({"reason": "arrived"}, []),
}
COUNTED = " UNION ALL ".join(
    f"SELECT '{table}', member_id FROM {table} WHERE {column} <> '{value}'"
    for table, (marks, _) in ARRIVING.items()
    if table != "consents"  # a merge says the strictest again
    for column, value in [next(iter(marks.items()))]
)
HEADLESS = "identities led by none"
# At any moment, village by village: who is gone leads to who is there and holds nothing; an identity has one primary
# holder (but the shared in quarantine, who have none), and no row of what moves is lost or doubled.
INVARIANTS = f"""
WITH village AS MATERIALIZED (
    SELECT v.id, v.place, m.status, m.merged_into_id FROM members m
    JOIN unnest($1::uuid[], $2::int[]) AS v (id, place) ON v.id = m.id
), astray AS (
    SELECT v.place, 'led astray' FROM village v LEFT JOIN members t ON t.id = v.merged_into_id
    WHERE t.merged_into_id IS NOT NULL OR (v.status = 'MERGED') <> (v.merged_into_id IS NOT NULL)
), behind AS (
    {
    " UNION ALL ".join(
        f"SELECT v.place, 'left behind in {table}' FROM {table} t JOIN village v ON v.id = t.member_id "
        "WHERE v.merged_into_id IS NOT NULL"
        for table in (*tables(Rule.MOVES), *tables(Rule.COMBINES))
    )
}
), headless AS (
    SELECT min(v.place), '{HEADLESS}' FROM identities i JOIN village v ON v.id = i.member_id
    GROUP BY i.kind, i.namespace, i.value HAVING count(*) FILTER (WHERE i.is_primary) <> 1
), counted AS (
    SELECT v.place, 'rows of ' || t.name FROM ({COUNTED}) AS t (name, member_id) JOIN village v ON v.id = t.member_id
)
SELECT place, what, count(*)::int AS n FROM (
    SELECT * FROM astray UNION ALL SELECT * FROM behind UNION ALL SELECT * FROM headless UNION ALL SELECT * FROM counted
) told (place, what) GROUP BY place, what
"""


@dataclass(frozen=True, slots=True)
class Step:
    """What is done next: with members by their place, of the merges that stand the n-th, into a table."""

    verb: str
    one: int = 0
    other: int = 0
    table: str = ""


def script(number: int) -> list[Step]:
    """Merges, chains of them and refused ones; unmerges of any that stands; arrivals under any name; all undone."""
    rng = Random(number)
    steps: list[Step] = []
    for _ in range(rng.randrange(2, 7)):
        chance = rng.random()
        if steps and chance < 0.3:
            steps.append(Step("unmerge", rng.randrange(EACH)))
        elif steps and chance < 0.45:
            table = rng.choice([*ARRIVING, "member_tags"])
            gone = rng.choice([step.other for step in steps if step.verb == "merge"])  # mostly under an old name
            who = gone if rng.random() < 0.7 else rng.randrange(EACH)
            steps.append(Step("arrive", who, rng.randrange(len(TAGS)), table))
        else:
            one, other = rng.sample(range(EACH), 2)
            steps.append(Step("merge", one, other))
            if rng.random() < 0.2:
                steps.append(Step("forgive"))
    return [*steps, *(Step("unmerge", rng.randrange(EACH)) for _ in range(EACH))]


@dataclass(slots=True)
class Village:
    """Families who know nobody else, with what a script did to them."""

    actor: Actor
    members: list[Member]
    models: dict[str, str]  # table -> the key of one of their rows
    standing: list[MembersMerged] = field(default_factory=list)
    apart: set[frozenset[UUID]] = field(default_factory=set)
    arrived: dict[tuple[str, str], UUID] = field(default_factory=dict)  # (table, key) -> under whose name
    tagged: set[tuple[str, UUID]] = field(default_factory=set)  # (tag, on whom it was set)

    def who(self, member: UUID) -> UUID:
        into = {one.absorbed_id: one.member_id for one in self.standing}
        while member in into:
            member = into[member]
        return member

    async def run(self, steps: Sequence[Step], *, looks: bool) -> None:
        verbs: dict[str, Callable[[Step], Awaitable[None]]] = {
            "merge": self.merge,
            "unmerge": self.unmerge,
            "arrive": self.arrive,
            "forgive": self.forgive,
        }
        await self.forgive()
        for step in steps:
            stood = len(self.standing)
            await verbs[step.verb](step)
            if looks and len(self.standing) != stood:
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

    async def arrive(self, step: Step) -> None:
        """Under whatever name she is known there: it is whose she is now, and hers again when all is undone."""
        member = self.members[step.one].id
        if step.table == "member_tags":
            await self.tag(member, TAGS[step.other])
            return
        marks, own = ARRIVING[step.table]
        made = new_id()
        key = made.int % 2**62 if step.table in KEYS else str(made)
        row: dict[str, object] = {"id": key, "member_id": str(member), **marks, **dict.fromkeys(own, str(made))}
        there = "EXISTS (SELECT FROM babies b WHERE b.id = r.baby_id)" if step.table == "guardian_consents" else "TRUE"
        await connection().execute_query(
            f"INSERT INTO {step.table} SELECT r.* FROM {step.table} t, jsonb_populate_record(t, $2::text::jsonb) r "
            f"WHERE t.id::text = $1 AND {there}",
            [self.models[step.table], orjson.dumps(row).decode()],
        )
        rows = await connection().execute_query_dict(
            f"SELECT member_id FROM {step.table} WHERE id = $1::{KEYS.get(step.table, 'uuid')}", [key]
        )
        if rows or there == "TRUE":  # a child whom both families brought may be the other's row just now
            assert rows == [{"member_id": self.who(member)}], step.table
            self.arrived[step.table, str(key)] = member

    async def tag(self, member: UUID, key: str) -> None:
        """Said of her under her own name only, and once, whosever word it is that she carries."""
        answer = await tags.tag_member(self.actor, member, key)
        if self.who(member) != member:
            assert answer == MemberNotFound()
            return
        assert isinstance(answer, tags.MemberTagged)
        if not any(said == key and self.who(on) == member for said, on in self.tagged):
            self.tagged.add((key, member))

    async def forgive(self, _: Step | None = None) -> None:
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
        """What arrived is everybody's own again; without it the village is as it was."""
        for table in {table for table, _ in self.arrived}:
            theirs = {key: member for (of, key), member in self.arrived.items() if of == table}
            rows = await connection().execute_query_dict(
                f"DELETE FROM {table} WHERE id = ANY($1::text[]::{KEYS.get(table, 'uuid')}[]) "
                "RETURNING id::text, member_id",
                [list(theirs)],
            )
            assert {row["id"]: row["member_id"] for row in rows} == theirs, table
        self.arrived.clear()
        if self.tagged:
            rows = await connection().execute_query_dict(
                "DELETE FROM member_tags u USING tags t WHERE t.id = u.tag_id AND t.key = ANY($1::text[]) "
                "AND u.member_id = ANY($2::uuid[]) RETURNING t.key, u.member_id, u.removed_at",
                [list(TAGS), [member.id for member in self.members]],
            )
            found = sorted((row["key"], row["member_id"], row["removed_at"]) for row in rows)
            assert found == sorted((key, member, None) for key, member in self.tagged), "member_tags"
        self.tagged.clear()


class Land:
    """All villages at once, one script in each, and what is wrong in which."""

    def __init__(self, villages: list[Village]) -> None:
        self.villages = villages
        self.ids = [[member.id for member in village.members] for village in villages]
        self.well: dict[int, dict[str, int]] = {}
        self.rows: dict[str, list[str]] = {}
        self.digest: dict[str, str] = {}

    async def settle(self) -> None:
        """As it is now is how it must be."""
        self.rows, self.digest, self.well = await every_row(), await digest(), await self.invariants()
        counted = {f"rows of {table}" for table in ARRIVING if table != "consents"}
        assert all(found.keys() - {HEADLESS} == counted for found in self.well.values())

    async def invariants(self) -> dict[int, dict[str, int]]:
        ids = [one for some in self.ids for one in some]
        places = [place for place, some in enumerate(self.ids) for _ in some]
        found: dict[int, dict[str, int]] = {place: {} for place in range(len(self.ids))}
        for row in await connection().execute_query_dict(INVARIANTS, [ids, places]):
            found[row["place"]][row["what"]] = row["n"]
        return found

    async def round(self, numbers: Sequence[int]) -> dict[int, str]:
        """Number of each script that failed -> why. No task is left behind, whatever happens."""
        running = {
            asyncio.create_task(self.villages[n % VILLAGES].run(script(n), looks=n % 16 < VILLAGES)): n for n in numbers
        }
        try:
            while pending := {task for task in running if not task.done()}:
                wrong = _differing(self.well, await self.invariants())
                if wrong:
                    return {n: wrong[n % VILLAGES] for n in numbers if n % VILLAGES in wrong} or {-1: str(wrong)}
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in running:
                task.cancel()
            ended = await asyncio.gather(*running, return_exceptions=True)
        ends = zip(running.values(), ended, strict=True)
        failed = {n: f"{type(end).__name__}: {end}" for n, end in ends if isinstance(end, BaseException)}
        return failed or await self.changed(numbers)

    async def changed(self, numbers: Sequence[int]) -> dict[int, str]:
        """The rows that are new and those that are missing, by the village whose people or families they name."""
        if await digest() == self.digest:
            return {}
        now, told = await every_row(), dict[int, list[str]]()
        for table, rows in self.rows.items():
            new, missing = set(now[table]) - set(rows), set(rows) - set(now[table])
            for word, row in [*(("missing", row) for row in missing), *(("new", row) for row in new)]:
                for n in [n for n in numbers if self._is_of(n % VILLAGES, row)] or [-1]:
                    told.setdefault(n, []).append(f"{word} in {table}: {row}")
        return {n: "\n".join(rows) for n, rows in told.items()}

    def _is_of(self, place: int, row: str) -> bool:
        names = (str(one) for member in self.villages[place].members for one in (member.id, member.household_id))
        return any(name in row for name in names)


def _differing(well: dict[int, dict[str, int]], now: dict[int, dict[str, int]]) -> dict[int, str]:
    """Place of each village where something is not as it must be -> what."""
    return {
        place: ", ".join(
            f"{what}: {now[place].get(what, 0)}, not {wanted.get(what, 0)}"
            for what in sorted(wanted.keys() | now[place].keys())
            if now[place].get(what) != wanted.get(what)
        )
        for place, wanted in well.items()
        if now[place] != wanted
    }


def told(failed: dict[int, str]) -> str:
    return "\n\n".join(
        f"script {n}: {why}\nsteps: {script(n) if n >= 0 else 'of none: rows that no village names'}"
        for n, why in failed.items()
    )


def rounds(count: int) -> list[list[int]]:
    """One for each village at once; those that somebody asked for one after the other."""
    chosen = os.environ.get("SCRIPTS")
    if chosen:
        return [[int(one)] for one in chosen.split(",")]
    return [list(range(first, first + VILLAGES)) for first in range(0, count, VILLAGES)]


async def _models(members: list[Member]) -> dict[str, str]:
    """Of each table a row of these people, as which others arrive."""
    parts = " UNION ALL ".join(
        f"(SELECT '{table}' AS name, id::text AS key FROM {table} "
        "WHERE member_id = ANY($1::uuid[]) ORDER BY id LIMIT 1)"
        for table in ARRIVING
    )
    rows: list[dict[str, Any]] = await connection().execute_query_dict(parts, [[one.id for one in members]])
    found = {row["name"]: row["key"] for row in rows}
    assert found.keys() == ARRIVING.keys()
    return found


def test_whatever_follows_a_merge_arrives_in_scripts() -> None:
    assert set(ARRIVING) == {*tables(Rule.MOVES), "consents"}
    drawn = {step.table for n in range(1_000) for step in script(n) if step.verb == "arrive"}
    assert drawn == {*ARRIVING, "member_tags"}


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
    for key in TAGS:
        await tags.Tag.create(key=key, family=tags.TagFamily.ATTRIBUTE, label_en=key, label_zh=key)
    settled = [await people(EACH, Random(60 + n), village=n) for n in range(VILLAGES)]
    land = Land([Village(actor, members, await _models(members)) for members in settled])
    await land.settle()
    for numbers in rounds(scripts):
        if numbers[0] % TIDY == 0:
            await connection().execute_script("VACUUM")  # the same few rows are written over and over
        failed = await land.round(numbers)
        if failed:
            pytest.fail(told(failed), pytrace=False)
