"""What a profile answers, in how many statements."""

from datetime import UTC, date, datetime, timedelta

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from api.schema import build_schema
from api.schema.scalars import wire_datetime
from domain.care.leases import Lease
from domain.care.questions import Question
from domain.care.queues import take_next
from domain.commerce.orders import OrderReturn
from domain.gateway.messages import Message, MessageState
from domain.outreach.decisions import Decision, Verdict
from domain.platform.clock import set_business_clock
from domain.platform.ids import new_id
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose, Source
from tests.api.conftest import Ask
from tests.api.orders import make_order, make_visit
from tests.factories import NOON, make_actor, make_baby, make_member, make_store, make_task

PROFILE = """
query Profile($id: ID!, $first: Int!, $withTags: Boolean = true) {
  one: member(id: $id) {
    __typename
    ...Who
    babies { nickname stage { stage age next { stage on } } }
    babiesAgain: babies(first: 1) { bornOn }
    tags @include(if: $withTags) { key family }
    consents { purpose channel state }
    identities { kind value }
    orders(first: $first) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node { ...Bought } } }
    timeline(first: 10) {
      edges { node {
        __typename ... on Order { total at: orderedAt } ... on Interaction { topic at: occurredAt } ... on Node { id }
      } }
    }
    scores { model }
    openTasks { why }
  }
}
fragment Bought on Order { id total lines { product { name } amount } }
fragment Who on Member { id name phone carerRole household { carers { id name } } store { name distributor } }
"""


async def test_a_profile_is_one_statement_and_says_what_is_stored(ask: Ask) -> None:
    store = await make_store(name="Store 3")
    member = await make_member(phone="+12125550123", store_id=store.id)
    await make_baby(member, nickname="Mia", born_on=date(2017, 7, 3), born_source=Source.MEMBER)
    orders = [await make_order(member, days) for days in range(3)]
    await make_visit(member, 1.1, topic="weaning")
    advisor = await make_actor(Role.ADVISOR)
    answer = await ask(advisor, PROFILE, id=f"Member:{member.id}", first=2)
    found = answer.data["one"]
    assert answer.statements == 1
    assert found["__typename"] == "Member"
    assert found["phone"] == "***0123"
    assert found["identities"] == [{"kind": "PHONE", "value": "***0123"}]
    assert found["babies"] == [
        {
            "nickname": "Mia",
            "stage": {
                "stage": "MONTHS_3_6",
                "age": "5 months 12 days",
                "next": {"stage": "MONTHS_6_12", "on": "2018-01-03"},
            },
        }
    ]
    assert found["orders"]["totalCount"] == 3
    assert found["orders"]["pageInfo"]["hasNextPage"] is True
    assert [edge["node"]["id"] for edge in found["orders"]["edges"]] == [f"Order:{o.id}" for o in orders[:2]]
    assert found["orders"]["edges"][0]["node"] == {
        "id": f"Order:{orders[0].id}",
        "total": "12.50",
        "lines": [{"product": {"name": "Diapers"}, "amount": "12.50"}],
    }
    kinds = [edge["node"]["__typename"] for edge in found["timeline"]["edges"]]
    assert kinds == ["Order", "Order", "Interaction", "Order"]
    assert found["store"] == {"name": "Store 3", "distributor": found["store"]["distributor"]}
    without = await ask(advisor, PROFILE, id=f"Member:{member.id}", first=2, withTags=False)
    assert "tags" not in without.data["one"]


async def test_an_operation_is_one_statement(ask: Ask) -> None:
    member = await make_member(phone="+12125550123")
    await make_baby(member, born_on=date(2017, 7, 3), born_source=Source.MEMBER)
    await make_order(member)
    query = """query($id: ID!) {
      a: member(id: $id) { babies { stage { stage } } household { babies { again: stage { name } } } }
      b: member(phone: "+12125550123") { orders(first: 3) { edges { node { lines { product { name } } } } } }
      members(search: { phoneEnding: "0123" }, first: 5) {
        edges { node { babies { stage { age } } scores { reasons } } }
      }
      callbackTasks(first: 5) { edges { node { talkingPoints { text } } } }
      stores(first: 1) { totalCount }
    }"""
    answer = await ask(await make_actor(Role.OPERATOR), query, id=f"Member:{member.id}")
    assert answer.data["a"]["household"]["babies"] == [{"again": {"name": "3-6 months"}}]
    assert answer.statements == 1  # computed families of the first schema need none of their own


async def test_selections_merge_as_graphql_says(ask: Ask) -> None:
    member = await make_member(full_name="Zoë O'Neill", store_id=(await make_store(name="North")).id)
    orders = [await make_order(member, days) for days in range(3)]
    query = """query($id: ID!, $no: Boolean!, $n: Int = 1) {
      node(id: $id) {
        __typename id
        ...A
        ... on Member { store { name } orders(first: 3) { edges { node { id } } } }
        ... on Order { total }
      }
    }
    fragment A on Member {
      name @skip(if: $no)
      hidden: name @include(if: $no)
      ... @include(if: true) { store { id source } again: orders(first: $n) { edges { node { id } } totalCount } }
      orders(first: 3) { pageInfo { hasNextPage } edges { cursor node { channel } } }
      nothing: household { babies { id @skip(if: true) } }
      empty: store { name @include(if: false) }
    }"""
    query = query.replace("empty: store { name @include(if: false) }", "empty: store { ... @skip(if: true) { name } }")
    for no in (False, True):
        found = (await ask(await make_actor(Role.ADVISOR), query, id=f"Member:{member.id}", no=no)).data["node"]
        assert found["__typename"] == "Member"
        assert found.get("name") == (None if no else "Zoë O'Neill")
        assert ("hidden" in found) is no
        assert found["store"].keys() == {"name", "id", "source"}
        assert found["again"] == {"edges": [{"node": {"id": f"Order:{orders[0].id}"}}], "totalCount": 3}
        assert [edge["node"] for edge in found["orders"]["edges"]] == [
            {"id": f"Order:{order.id}", "channel": "POS"} for order in orders
        ]
        assert found["orders"]["pageInfo"] == {"hasNextPage": False}
        assert found["nothing"] == {"babies": []}
        assert found["empty"] == {}


async def test_a_wide_selection_is_still_one_statement(ask: Ask) -> None:
    """More fields than one json_build_object takes; quotes and long aliases travel as they are."""
    member = await make_member(
        full_name='She said "no", \\ he\'d {t} {s} $1', handling_note="慢慢说", phone="+12125550123"
    )
    core = build_schema()._schema.type_map["Member"]
    assert isinstance(core, GraphQLObjectType)
    leaves = [name for name, of in core.fields.items() if is_leaf_type(get_named_type(of.type))]
    long, lists = "a" * 80, "babies { id } tags { key } consents { how } household { id }"
    aliases = " ".join(f"{long}{number}: name" for number in range(30))
    query = f"query($id: ID!) {{ member(id: $id) {{ {' '.join(leaves)} {aliases} {lists} }} }}"
    answer = await ask(await make_actor(Role.OPERATOR), query, id=f"Member:{member.id}")
    found = answer.data["member"]
    assert len(found) == len(leaves) + 30 + 4 > 49
    assert list(found)[: len(leaves) + 30] == [*leaves, *(f"{long}{number}" for number in range(30))]
    assert {found[f"{long}{number}"] for number in range(30)} == {member.full_name}
    assert (found["handlingNote"], found["version"], found["joinedOn"]) == ("慢慢说", 1, "2017-01-01")
    assert answer.statements == 1


async def test_pages_of_equal_times_hold_every_row_once(ask: Ask) -> None:
    member = await make_member()
    for _ in range(5):
        await make_order(member)
        await make_visit(member)
    query = """query($id: ID!, $after: String) { member(id: $id) {
      timeline(first: 3, after: $after) {
        pageInfo { hasNextPage endCursor } edges { node { ... on Node { id } } }
      } } }"""
    operator, seen, after = await make_actor(Role.OPERATOR), [], None
    while True:
        page = (await ask(operator, query, id=f"Member:{member.id}", after=after)).data["member"]["timeline"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert len(seen) == len(set(seen)) == 10


@pytest.mark.parametrize(
    ("kind", "role", "count"),
    [
        ("INTERACTION", Role.OPERATOR, 3), ("ORDER", Role.OPERATOR, 3), ("RETURN", Role.OPERATOR, 1),
        ("MESSAGE", Role.OPERATOR, 3), ("INTERACTION", Role.ANALYST, 0), ("QUESTION", Role.OPERATOR, 0),
    ],
)  # fmt: skip
async def test_a_kind_in_the_document_is_answered_as_one_in_a_variable(
    ask: Ask, kind: str, role: Role, count: int
) -> None:
    """The first is read in its own table; a cursor of either goes on in the other."""
    member, actor = await make_member(), await make_actor(role)
    orders = [await make_order(member, days) for days in (1, 2, 3)]
    await OrderReturn.create(
        source="t", external_id="1", order_id=orders[0].id, returned_at=NOON, amount="1.00", payload_hash="-"
    )
    for days in (1, 2, 3):
        await make_visit(member, days, topic=f"visit {days}")
        when = NOON - timedelta(days=days)
        decision = await Decision.create(
            member_id=member.id, intent_key=f"care:{days}", channel=Channel.SMS, purpose=Purpose.CARE,
            verdict=Verdict.SEND, primary_reason="OK", reasons=["OK"], snapshot={}, rules_version="1", decided_at=when,
        )  # fmt: skip
        await Message.create(
            provider_key=new_id(), member_id=member.id, channel=Channel.SMS, purpose=Purpose.CARE, template_version=1,
            intent_key=f"care:{days}", template_key="care", language="en", address="+12125550123", body="Dear Mia",
            decision_id=decision.id, state=MessageState.DELIVERED, not_before=when, expires_at=NOON,
            created_at=when, state_at=when,
        )  # fmt: skip
    page = """ { totalCount pageInfo { hasNextPage endCursor } edges { cursor node { __typename
      ... on Interaction { topic occurredAt } ... on Order { total orderedAt } ... on Message { state createdAt } } }
    }"""
    told = f"""query($id: ID!, $after: String) {{
      member(id: $id) {{ timeline(first: 2, after: $after, kinds: {kind}){page} }} }}"""
    bound = f"""query($id: ID!, $after: String, $kinds: [TimelineKind!]) {{
      member(id: $id) {{ timeline(first: 2, after: $after, kinds: $kinds){page} }} }}"""
    after, found = None, 0
    while True:
        given = {"id": f"Member:{member.id}", "after": after}
        one, other = await ask(actor, told, **given), await ask(actor, bound, **given, kinds=[kind])
        assert one.codes == other.codes == []
        assert one.data == other.data
        timeline = one.data["member"]["timeline"]
        found += len(timeline["edges"])
        after = timeline["pageInfo"]["endCursor"]
        if not timeline["pageInfo"]["hasNextPage"]:
            break
    assert found == count


async def test_the_timeline_is_narrowed_by_kind_way_time_and_open_questions(ask: Ask) -> None:
    member, day = await make_member(), timedelta(days=1)
    bought = await make_order(member, 5)
    await OrderReturn.create(
        source="t", external_id="1", order_id=bought.id, returned_at=NOON - 4 * day, amount="1.00", payload_hash="-"
    )
    await make_visit(member, 3, topic="visit")
    asked = await make_visit(member, 2, topic="asked", kind="QUESTION", channel="WECOM")
    question = await Question.create(interaction_id=asked.id, place=1, text="Which size?", asked_at=NOON)
    other = await make_order(await make_member())
    await OrderReturn.create(
        source="t", external_id="2", order_id=other.id, returned_at=NOON, amount="1.00", payload_hash="-"
    )
    operator = await make_actor(Role.OPERATOR)

    async def seen(narrowed: str) -> list[str]:
        text = f"""query($id: ID!) {{ member(id: $id) {{ timeline(first: 2{narrowed}) {{ totalCount edges {{ node {{
          __typename ... on Interaction {{ topic }} ... on OrderReturn {{ order {{ id }} }} }} }} }} }} }}"""
        page = (await ask(operator, text, id=f"Member:{member.id}")).data["member"]["timeline"]
        return [str(page["totalCount"])] + [
            edge["node"].get("topic") or edge["node"]["__typename"] for edge in page["edges"]
        ]

    assert await seen("") == ["4", "asked", "visit"]
    assert await seen(", kinds: [QUESTION, RETURN]") == ["2", "asked", "OrderReturn"]
    assert await seen(", kinds: [INTERACTION]") == ["2", "asked", "visit"]
    assert await seen(", channels: [POS]") == ["2", "OrderReturn", "Order"]
    assert await seen(", channels: [WECOM, STORE]") == ["2", "asked", "visit"]
    assert await seen(f', since: "{(NOON - 4 * day).isoformat()}", until: "{(NOON - 2 * day).isoformat()}"') == [
        "2", "visit", "OrderReturn",
    ]  # fmt: skip
    assert await seen(", questions: OPEN") == ["1", "asked"]
    await question.update_from_dict({"answer": "Four.", "answered_at": NOON}).save(
        update_fields=["answer", "answered_at"]
    )
    assert await seen(", questions: OPEN") == ["0"]
    assert await seen(", questions: ANSWERED") == ["1", "asked"]


async def test_values_come_in_their_wire_form_and_language(ask: Ask) -> None:
    member = await make_member()
    order = await make_order(member, 0.5, total="1234567890.10")
    order.ordered_at = datetime(2017, 12, 1, 9, 0, 0, 120000, tzinfo=UTC)
    await order.save(update_fields=["ordered_at"])
    await make_task(member, reason={"en": "She may be leaving.", "zh-Hans": "她可能要流失了。"}, priority=1.0)
    query = """query($id: ID!) { viewer { businessNow } member(id: $id) {
      recentOrders { total orderedAt } openTasks { why priority } lastOrderedAt } }"""
    consultant = await make_actor(Role.CONSULTANT)
    for language, why in (("en", "She may be leaving."), ("zh-Hans", "她可能要流失了。")):
        answer = await ask(consultant, query, language=language, id=f"Member:{member.id}")
        found = answer.data["member"]
        assert found["recentOrders"] == [{"total": "1234567890.10", "orderedAt": "2017-12-01T09:00:00.12+00:00"}]
        assert found["openTasks"] == [{"why": why, "priority": 1.0}]
        assert found["lastOrderedAt"] == "2017-12-01T09:00:00.12+00:00"
        assert answer.data["viewer"]["businessNow"].startswith("2017-12-15T12:00:")


async def test_a_held_call_counts_its_days_when_it_is_read(ask: Ask) -> None:
    member, consultant = await make_member(), await make_actor(Role.CONSULTANT)
    facts = {"known_at": NOON.isoformat(), "last_on": "2017-11-29", "category": "BABY FOODS", "usual_gap": 17}
    await make_task(member, kind="CAN_FINISH", reason_code="RUNNING_LOW", reason=facts)
    assert isinstance(await take_next(consultant), Lease)
    query = "query($id: ID!) { member(id: $id) { openTasks { why state } } }"

    async def read() -> str:
        [task] = (await ask(consultant, query, id=f"Member:{member.id}")).data["member"]["openTasks"]
        assert task["state"] == "LEASED"
        return str(task["why"])

    assert (await read()).endswith("last time 16 days ago.")
    await set_business_clock(NOON + timedelta(days=7))
    await make_order(member, -9)  # a purchase that is still to come
    assert (await read()).endswith("last time 23 days ago.")
    await make_order(member, -3)
    assert (await read()).endswith("last time 23 days ago. Has shopped again since: 2017-12-18.")


def test_python_moments_look_like_postgresqls() -> None:
    at = datetime(2017, 12, 1, 9, 0, 0, tzinfo=UTC)
    shown = [wire_datetime(at.replace(microsecond=us)) for us in (0, 120000, 1, 100)]
    assert shown == [
        "2017-12-01T09:00:00+00:00",
        "2017-12-01T09:00:00.12+00:00",
        "2017-12-01T09:00:00.000001+00:00",
        "2017-12-01T09:00:00.0001+00:00",
    ]
