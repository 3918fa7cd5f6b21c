"""Segments over GraphQL: made, worked out, read page by page, asked why, and never more than the caller may see."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from domain.commerce.staff import RowScope
from domain.people import tag_catalogue
from domain.people.tag_catalogue import NewTag, TagFamily
from domain.people.tags import MemberTag
from domain.platform.actors import Actor
from domain.platform.audit import AuditEntry
from domain.platform.roles import Role
from domain.segments.facts import rebuild
from domain.segments.memberships import keep_up
from domain.segments.segments import Segment
from tests.api.conftest import Ask, Response
from tests.domain.segments.oracle import Oracle
from tests.domain.segments.people import THEN, People
from tests.factories import NOON, make_actor, make_baby, make_member, make_order, make_store

CREATE = """
mutation($name: String!, $rule: String!) {
  createSegment(input: { name: $name, rule: $rule }, idempotencyKey: $name) {
    __typename
    ... on SegmentSaved { segment { id name version isStale memberCount } }
    ... on ValidationError { errors { field message } }
  }
}
"""
BOUGHT = {"field": "orders.count", "operator": ">=", "value": 1}
YOUNG = {"field": "baby.age_months", "operator": "between", "value": [11, 12]}


def rule_of(*rules: Any) -> str:
    return json.dumps({"combinator": "and", "rules": list(rules)})


async def _create(ask: Ask, actor: Actor, name: str, rule: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await ask(actor, CREATE, name=name, rule=rule)).data["createSegment"]
    return answer


async def test_a_segment_from_its_rule_to_its_pages(ask: Ask) -> None:
    actor, members = await make_actor(Role.OPERATOR), [await make_member() for _ in range(5)]
    for one in members[:4]:
        await make_order(one, NOON - timedelta(days=2))
    made = await _create(ask, actor, "Bought", rule_of(BOUGHT))
    segment = made["segment"]
    assert (made["__typename"], segment["isStale"], segment["version"]) == ("SegmentSaved", True, 1)
    assert await _create(ask, actor, "Bought", rule_of(BOUGHT)) == made, "the same key is the same wish"
    while (await keep_up()).moved:
        pass
    page = """query($id: ID!, $after: String) { segment(id: $id) {
      isStale memberCount rule
      members(first: 3, after: $after) { totalCount edges { node { id } } pageInfo { hasNextPage endCursor } } } }"""
    first = (await ask(actor, page, id=segment["id"])).data["segment"]
    assert (first["isStale"], first["memberCount"], first["members"]["totalCount"]) == (False, 4, 4)
    assert json.loads(first["rule"]) == json.loads(rule_of(BOUGHT))
    rest = (await ask(actor, page, id=segment["id"], after=first["members"]["pageInfo"]["endCursor"])).data["segment"]
    found = [edge["node"]["id"] for part in (first, rest) for edge in part["members"]["edges"]]
    assert found == sorted(f"Member:{one.id}" for one in members[:4])
    shop = await make_store()
    narrow = await make_actor(Role.OPERATOR, RowScope.STORE, store_id=shop.id)
    assert (await ask(narrow, page, id=segment["id"])).data["segment"]["members"]["totalCount"] == 0
    change = """mutation($id: ID!, $rule: String!) {
      updateSegment(input: { segmentId: $id, version: 1, rule: $rule }, idempotencyKey: "u") { __typename
        ... on SegmentSaved { segment { version isStale } } } }"""
    changed = (await ask(actor, change, id=segment["id"], rule=rule_of({**BOUGHT, "value": 9}))).data["updateSegment"]
    assert changed["segment"] == {"version": 2, "isStale": True}
    while (await keep_up()).moved:
        pass
    assert (await ask(actor, page, id=segment["id"])).data["segment"]["memberCount"] == 0
    put_away = """mutation($id: ID!) { archiveSegment(input: { segmentId: $id }, idempotencyKey: "a") { __typename
      ... on SegmentArchived { segment { archivedAt } } } }"""
    gone = (await ask(actor, put_away, id=segment["id"])).data["archiveSegment"]
    assert gone["segment"]["archivedAt"] is not None
    assert (await ask(actor, "{ segments(first: 5) { totalCount } }")).data["segments"]["totalCount"] == 0


async def test_what_is_wrong_with_a_rule_is_said_with_its_path(ask: Ask) -> None:
    actor, wrong = await make_actor(Role.OPERATOR), rule_of(BOUGHT, {**YOUNG, "operator": "in"})
    answer = await _create(ask, actor, "Wrong", wrong)
    assert answer["errors"] == [
        {
            "field": "rule.rules[1].operator",
            "message": "baby.age_months takes one of: = != < <= > >= between notBetween null notNull.",
        }
    ]
    for text in (
        "query($rule: String!) { segmentCount(rule: $rule) { members } }",
        "query($rule: String!) { segmentSample(rule: $rule, first: 3) { totalCount } }",
        "query($rule: String!) { segmentOverlap(one: $rule, other: $rule) { both } }",
    ):
        body = (await ask(actor, text, rule=wrong)).body
        assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert "rule.rules[1].operator" in body["errors"][0]["message"]


ASKED = """
query($one: String!, $other: String!, $member: ID!) {
  a: segmentCount(rule: $one) { members seen }
  b: segmentCount(rule: $other) { members }
  segmentOverlap(one: $one, other: $other) { one other both }
  segmentSample(rule: $other, first: 5) { totalCount edges { node { id } } }
  segmentWhy(rule: $other, memberId: $member) { isIn conditions { path field operator isMet value } }
}
"""


async def test_counts_samples_overlaps_and_whys_agree(ask: Ask) -> None:
    shop = await make_store()
    mine, others = await make_member(store_id=shop.id), [await make_member() for _ in range(2)]
    for one in (mine, others[0]):
        await make_order(one, NOON - timedelta(days=2))
        await make_baby(one, born_on=date(2017, 1, 10), born_source="MEMBER")
    await rebuild()
    given = {"one": rule_of(BOUGHT), "other": rule_of(BOUGHT, YOUNG), "member": f"Member:{mine.id}"}
    everybody, narrow = (
        await make_actor(Role.OPERATOR),
        await make_actor(Role.OPERATOR, RowScope.STORE, store_id=shop.id),
    )
    wide = (await ask(everybody, ASKED, **given)).data
    assert (wide["a"], wide["b"]) == ({"members": 2, "seen": 3}, {"members": 2})
    assert wide["segmentOverlap"] == {"one": 2, "other": 2, "both": 2}
    assert wide["segmentSample"]["totalCount"] == 2
    own = (await ask(narrow, ASKED, **given)).data
    assert (own["a"], own["b"]) == ({"members": 1, "seen": 1}, {"members": 1})
    assert own["segmentSample"] == {"totalCount": 1, "edges": [{"node": {"id": f"Member:{mine.id}"}}]}
    assert own["segmentWhy"]["isIn"] is True
    assert [(one["path"], one["value"]) for one in own["segmentWhy"]["conditions"]] == [
        ("rule.rules[0]", "1"), ("rule.rules[1]", "11"),
    ]  # fmt: skip
    hidden = await ask(narrow, ASKED, **{**given, "member": f"Member:{others[0].id}"})
    assert hidden.data["segmentWhy"] is None
    noted = await AuditEntry.filter(action="search_babies", actor_id=narrow.id).count()
    assert noted == 2, "members were looked for by what is known of their babies"


async def test_the_sample_is_whom_the_oracle_finds(ask: Ask) -> None:
    from domain.platform.clock import set_business_clock

    await set_business_clock(THEN)
    made, actor = await People(3).make(60), await make_actor(Role.OPERATOR)
    await rebuild()
    oracle = await Oracle.of(THEN)
    text = "query($rule: String!) { segmentSample(rule: $rule, first: 100) { totalCount edges { node { id } } } }"
    for _ in range(40):
        rule = made.rule()
        found = (await ask(actor, text, rule=json.dumps(rule))).data["segmentSample"]
        expected = {f"Member:{one}" for one in oracle.members_of(rule)}
        assert {edge["node"]["id"] for edge in found["edges"]} == expected, json.dumps(rule)
        assert found["totalCount"] == len(expected)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ANALYST])
async def test_the_catalogue_is_what_the_role_may_ask(ask: Ask, role: Role) -> None:
    actor = await make_actor(role)
    text = "{ segmentFields { fields { name label type operators values { name label } narrowing } } }"
    fields = {one["name"]: one for one in (await _fields(ask, actor, text)).data["segmentFields"]["fields"]}
    assert ("baby.age_months" in fields) == (role is Role.OPERATOR)
    assert ("interactions.count" in fields) == (role is Role.OPERATOR)
    assert fields["orders.count"]["narrowing"] == ["days", "category", "baby_class", "channel", "store"]
    chinese = (await _fields(ask, actor, text, "zh-Hans")).data["segmentFields"]["fields"]
    assert {one["name"]: one["label"] for one in chinese}["orders.count"] == "订单数"
    body = (await ask(actor, "query($r: String!) { segmentCount(rule: $r) { members } }", r=rule_of(YOUNG))).body
    assert ("errors" in body) == (role is Role.ANALYST)


async def _fields(ask: Ask, actor: Actor, text: str, language: str = "en") -> Response:
    return await ask(actor, text, language)


async def test_an_analyst_reads_no_segment_whose_rule_she_may_not_ask(ask: Ask) -> None:
    operator, analyst = await make_actor(Role.OPERATOR), await make_actor(Role.ANALYST)
    segment = (await _create(ask, operator, "Young", rule_of(YOUNG)))["segment"]["id"]
    text = "query($id: ID!) { segment(id: $id) { name } segments(first: 5) { totalCount } }"
    assert (await ask(operator, text, id=segment)).data == {"segment": {"name": "Young"}, "segments": {"totalCount": 1}}
    assert (await ask(analyst, text, id=segment)).data == {"segment": None, "segments": {"totalCount": 0}}
    assert (await ask(await make_actor(Role.CONSULTANT), text, id=segment)).codes == ["FORBIDDEN", "FORBIDDEN"]


TAG = """
mutation($segment: ID!, $key: String!, $again: String!, $search: MemberSearch) {
  tagMembers(input: { key: $key, segmentId: $segment, search: $search }, idempotencyKey: $again) {
    __typename
    ... on MembersTagged { chosen tagged }
    ... on Failure { message }
    ... on ValidationError { errors { field } }
  }
}
"""


async def test_whoever_is_in_a_segment_is_tagged_and_nobody_else(ask: Ask) -> None:
    store = await make_store()
    actor, narrow = await make_actor(Role.OPERATOR), await make_actor(Role.OPERATOR, RowScope.STORE, store_id=store.id)
    hers, others, nobody = [await make_member(store_id=store.id), await make_member(), await make_member()]
    for one in (hers, others):
        await make_order(one, NOON - timedelta(days=2))
    await tag_catalogue.create_tag(actor, NewTag("transaction.bought", TagFamily.TRANSACTION, "Bought", "已购"))
    segment = (await _create(ask, actor, "Bought", rule_of(BOUGHT)))["segment"]["id"]

    async def tag(who: Actor, again: str, segment: str = segment, **more: Any) -> dict[str, Any]:
        given = {"key": "transaction.bought", "segment": segment, "again": again, **more}
        answer: dict[str, Any] = (await ask(who, TAG, **given)).data["tagMembers"]
        return answer

    early = await tag(actor, "0")
    assert (early["__typename"], early["errors"]) == ("ValidationError", [{"field": "segmentId"}]), "it is stale"
    while (await keep_up()).moved:
        pass
    assert await tag(narrow, "1") == {"__typename": "MembersTagged", "chosen": 1, "tagged": 1}
    assert await MemberTag.all().values_list("member_id", flat=True) == [hers.id]
    assert await tag(actor, "2") == {"__typename": "MembersTagged", "chosen": 2, "tagged": 1}
    assert await tag(actor, "3") == {"__typename": "MembersTagged", "chosen": 2, "tagged": 0}
    assert {row.member_id for row in await MemberTag.filter(removed_at=None)} == {hers.id, others.id}
    assert nobody.id not in {row.member_id for row in await MemberTag.all()}
    audited = [(one.member_ids, one.detail) for one in await AuditEntry.filter(action="tag_members").order_by("id")]
    said = {"tag": "transaction.bought", "segment": segment.partition(":")[2]}
    assert audited == [([hers.id], said), ([others.id], said)]
    both = await tag(actor, "4", search={})
    assert both["__typename"] == "ValidationError"
    assert (await tag(actor, "5", segment=f"Segment:{hers.id}"))["__typename"] == "SegmentNotFound"
    analyst = await ask(await make_actor(Role.ANALYST), TAG, key="transaction.bought", segment=segment, again="6")
    assert analyst.codes == ["FORBIDDEN"]
    await Segment.filter(id=segment.partition(":")[2]).update(needs=["READ_AUDIT"])
    assert (await tag(actor, "7"))["__typename"] == "SegmentNotFound", "who is in it tells what its rule asks"
