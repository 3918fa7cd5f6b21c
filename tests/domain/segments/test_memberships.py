"""Memberships follow what happens: by event, at local midnight, with new rules; and touch nobody else."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.commerce.orders import Order
from domain.database import connection
from domain.insight.scores import Score
from domain.people import erasures, tag_catalogue, tags
from domain.people.members import Member
from domain.platform.actors import Actor
from domain.platform.clock import advance_business_clock, set_business_clock
from domain.platform.roles import Role
from domain.segments import segments
from domain.segments.compiling import this_moment
from domain.segments.facts import MemberFacts, rebuild
from domain.segments.memberships import keep_up, moving, refresh
from domain.segments.segments import SegmentChanges, SegmentSaved, live_segments
from tests.domain.segments.oracle import Oracle
from tests.domain.segments.people import THEN, People
from tests.factories import NOON, make_actor, make_baby, make_member, make_model, make_order, make_score

pytestmark = pytest.mark.usefixtures("db")
BOUGHT = {"field": "orders.count", "operator": ">=", "value": 1}
LATELY = {"field": "orders.days_since_last", "operator": "<=", "value": 3}


async def operator() -> Actor:
    return await make_actor(Role.OPERATOR)


async def saved(actor: Actor, name: str, *rules: Any) -> UUID:
    rule = json.dumps({"combinator": "and", "rules": list(rules)})
    answer = await segments.create(actor, name, "", rule)
    assert isinstance(answer, SegmentSaved), answer
    return answer.segment_id


async def who(segment_id: UUID) -> set[UUID]:
    rows = await connection().execute_query_dict(
        "SELECT member_id FROM segment_members WHERE segment_id = $1", [segment_id]
    )
    counted = await connection().execute_query_dict("SELECT member_count FROM segments WHERE id = $1", [segment_id])
    assert counted[0]["member_count"] == len(rows)
    return {row["member_id"] for row in rows}


async def settle() -> int:
    """Until nothing is left to do; answers how many moved."""
    moved = 0
    for _ in range(20):
        done = await keep_up()
        moved += done.moved
        if not done.is_behind and not done.moved:
            return moved
    raise AssertionError("it never comes to an end")


async def erase(actor: Actor, member: Member) -> None:
    asked = await erasures.ask(actor, member.id, erasures.ErasureReason.MEMBER_ASKED)
    assert isinstance(asked, erasures.ErasureAsked)
    answer = await erasures.erase(actor, member.id, asked.key)
    assert isinstance(answer, erasures.MemberErased)


async def test_an_order_a_tag_and_an_erasure_move_one_member() -> None:
    await set_business_clock(NOON)
    actor, first, second = await operator(), await make_member(), await make_member()
    bought = await saved(actor, "Bought", BOUGHT)
    tagged = await saved(actor, "Tagged", {"field": "tags.tag", "operator": "in", "value": ["income.35_49k"]})
    await settle()
    assert await who(bought) == set()
    await make_order(first, NOON - timedelta(days=1))
    assert await settle() == 1
    assert await who(bought) == {first.id}
    key = next(iter(tag_catalogue._filed()))
    rule = json.dumps({"combinator": "and", "rules": [{"field": "tags.tag", "operator": "in", "value": [key]}]})
    await segments.update(actor, tagged, 1, SegmentChanges(rule=rule))
    await tags.tag_member(actor, second.id, key, expires_at=NOON + timedelta(hours=2))
    await settle()
    assert await who(tagged) == {second.id}
    await advance_business_clock(timedelta(hours=3))
    await settle()
    assert await who(tagged) == set(), "the tag has expired"
    await erase(actor, first)
    await settle()
    assert await who(bought) == set()
    assert not await MemberFacts.filter(member_id=first.id).exists()


async def test_at_local_midnight_members_move_though_nothing_was_written() -> None:
    await set_business_clock(datetime(2017, 12, 15, 12, tzinfo=UTC))
    actor = await operator()
    shanghai, new_york = await make_member(time_zone="Asia/Shanghai"), await make_member(time_zone="America/New_York")
    for one in (shanghai, new_york):
        await make_order(one, datetime(2017, 12, 12, 16, tzinfo=UTC))  # in Shanghai it is the 13th
    lately = await saved(actor, "Lately", LATELY)
    await settle()
    assert await who(lately) == {shanghai.id, new_york.id}
    for hours, expected in ((4, {shanghai.id, new_york.id}), (13, {shanghai.id}), (24, set())):
        await set_business_clock(datetime(2017, 12, 15, 16, tzinfo=UTC) + timedelta(hours=hours))
        await settle()
        assert await who(lately) == expected, hours


async def test_scores_of_everybody_are_asked_anew() -> None:
    await set_business_clock(NOON)
    actor, member = await operator(), await make_member()
    risky = await saved(actor, "Risky", {"field": "scores.churn", "operator": ">", "value": 0.5})
    await settle()
    await make_score(await make_model("churn"), member, 0.9)
    await settle()
    assert await who(risky) == {member.id}
    await Score.all().delete()
    await settle()
    assert await who(risky) == set()


async def test_a_segment_within_a_segment_follows_its_rule() -> None:
    await set_business_clock(NOON)
    actor, member = await operator(), await make_member()
    inner = await saved(actor, "Inner", BOUGHT)
    outer = await saved(actor, "Outer", {"field": "segments.segment", "operator": "notIn", "value": [str(inner)]})
    await settle()
    assert await who(outer) == {member.id}
    await make_order(member, NOON - timedelta(days=1))
    await settle()
    assert (await who(inner), await who(outer)) == ({member.id}, set())
    rule = json.dumps({"combinator": "and", "rules": [{"field": "orders.count", "operator": ">", "value": 5}]})
    await segments.update(actor, inner, 1, SegmentChanges(rule=rule))
    await settle()
    assert (await who(inner), await who(outer)) == (set(), {member.id})


async def test_only_those_whose_facts_changed_are_asked_and_written() -> None:
    await set_business_clock(NOON)
    actor, members = await operator(), [await make_member() for _ in range(30)]
    bought = await saved(actor, "Bought", BOUGHT)
    for one in members[:10]:
        await make_order(one, NOON - timedelta(days=1))
    await settle()
    before = {row["id"]: row for row in await _rows()}
    await make_order(members[20], NOON - timedelta(days=1))
    done = await keep_up()
    assert (done.changed, done.moved) == (1, 1)
    after = {row["id"]: row for row in await _rows()}
    assert {key for key in after if before.get(key) != after[key]} == {members[20].id}
    assert len(await who(bought)) == 11


async def _rows() -> list[dict[str, Any]]:
    return await connection().execute_query_dict("SELECT member_id AS id, xmin::text FROM member_facts")


async def test_whatever_happens_the_kept_up_are_as_the_oracle_and_a_full_refresh_have_them() -> None:
    """Seventy random segments (two numbers of bits), random writes and days between: each way to the same members."""
    await set_business_clock(THEN - timedelta(days=3))
    actor, made = await operator(), await People(5).make(80)
    rules: dict[UUID, Any] = {}
    for number in range(70):
        rule = made.rule(2, tuple(str(one) for one in rules) if number > 60 else ())
        answer = await segments.create(actor, f"S{number}", "", json.dumps(rule))
        assert isinstance(answer, SegmentSaved), (answer, rule)
        rules[answer.segment_id] = rule
    for step in range(6):
        await settle()
        await _as_the_oracle(rules)
        members = await Member.exclude(status="ERASED").limit(40)
        for one in made.chance.sample(members, 5):
            await make_order(one, THEN - timedelta(days=made.chance.randint(0, 40), hours=made.chance.randint(0, 40)))
            await make_baby(
                one, born_on=THEN.date() - timedelta(days=made.chance.randint(0, 400)), born_source="MEMBER"
            )
        await Order.filter(member_id=members[step].id).update(member_id=members[step + 1].id)
        await Member.filter(id=members[step + 8].id).update(status="ERASED")
        await Member.filter(id=members[step + 9].id).update(time_zone="Asia/Tokyo")
        await advance_business_clock(timedelta(hours=made.chance.randint(1, 30)))
    await settle()
    assert await rebuild() == 0, "facts had been kept up to date"
    assert await refresh() == 0


async def _as_the_oracle(rules: dict[UUID, Any]) -> None:
    moment = await this_moment()
    oracle = await Oracle.of(moment.now, {str(key): rule for key, rule in rules.items()})
    for key, rule in rules.items():
        assert await who(key) == oracle.members_of(rule), json.dumps(rule)
    live = await live_segments()
    for word in (live[:60], live[60:]):
        assert (await moving(word, moment))[0] == []
