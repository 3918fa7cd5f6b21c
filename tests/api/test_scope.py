"""Who sees whom: row scope, refused fields and masks, the same by every way."""

from datetime import date, timedelta
from typing import Any

import pytest

from domain.commerce.staff import RowScope
from domain.database import connection
from domain.insight.models import ModelState, ScoringModel
from domain.insight.scores import Score
from domain.people.members import Member
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.roles import Role
from tests.api.conftest import Ask
from tests.api.orders import make_order, make_visit
from tests.factories import (
    frontend_actor,
    make_actor,
    make_baby,
    make_member,
    make_store,
    make_task,
    member_actor,
)

WAYS = """
query Ways($id: ID!, $phone: String!, $ending: String!, $order: ID!, $baby: ID!) {
  byId: member(id: $id) { id }
  byPhone: member(phone: $phone) { id }
  node(id: $id) { id }
  order: node(id: $order) { id ... on Order { member { id } } }
  baby: node(id: $baby) { id ... on Baby { household { carers { id } } } }
  members(search: { phoneEnding: $ending }, first: 10) { totalCount edges { node { id } } }
}
"""


async def ways(ask: Ask, actor: Actor, member: Member, order: Any, baby: Any, phone: str) -> dict[str, bool]:
    """By which ways the actor reaches the member."""
    answer = await ask(
        actor, WAYS, id=f"Member:{member.id}", phone=phone, ending=phone[-5:], order=f"Order:{order.id}",
        baby=f"Baby:{baby.id}",
    )  # fmt: skip
    found = answer.body["data"]
    reached = {name: found[name] is not None for name in ("byId", "byPhone", "node", "order", "baby")}
    if found["members"] is not None:
        reached["members"] = found["members"]["totalCount"] == 1 == len(found["members"]["edges"])
    if found["order"] is not None:
        assert found["order"]["member"] == {"id": f"Member:{member.id}"}
    return reached


async def test_every_way_to_a_member_has_the_same_scope(ask: Ask) -> None:
    near, far = await make_store(), await make_store()
    phone = "+12125550177"
    member = await make_member(phone=phone, store_id=near.id)
    order, baby = await make_order(member), await make_baby(member)
    sees = [
        await make_actor(Role.OPERATOR),
        await make_actor(Role.ADVISOR, RowScope.STORE, store_id=near.id),
        await make_actor(Role.STORE_MANAGER, RowScope.DISTRIBUTOR, distributor_id=near.distributor_id),
    ]
    blind = [
        await make_actor(Role.ADVISOR, RowScope.STORE, store_id=far.id),
        await make_actor(Role.STORE_MANAGER, RowScope.DISTRIBUTOR, distributor_id=far.distributor_id),
        await make_actor(Role.CONSULTANT, RowScope.OWN),
        await make_actor(Role.ADVISOR, RowScope.STORE),
    ]
    for actor in sees + blind + sees:  # the second round runs on what the first one has warmed
        reached = await ways(ask, actor, member, order, baby, phone)
        assert set(reached.values()) == {actor in sees}, (actor.role, actor.scope, reached)


async def test_a_lease_opens_one_member_to_its_holder_while_it_lasts(ask: Ask) -> None:
    member = await make_member()
    consultant = await make_actor(Role.CONSULTANT, RowScope.OWN)
    query = "query($id: ID!) { member(id: $id) { id openTasks { isMine leaseHolder } } }"
    assert (await ask(consultant, query, id=f"Member:{member.id}")).data["member"] is None
    task = await make_task(
        member, state="LEASED", lease_account_id=consultant.account_id, lease_until=real_now() + timedelta(minutes=5)
    )
    seen = (await ask(consultant, query, id=f"Member:{member.id}")).data["member"]
    assert seen["openTasks"] == [{"isMine": True, "leaseHolder": "Nora Bell"}]
    task.lease_until = real_now() - timedelta(seconds=1)
    await task.save(update_fields=["lease_until"])
    assert (await ask(consultant, query, id=f"Member:{member.id}")).data["member"] is None


async def test_a_member_sees_herself_and_her_household_and_nobody_else(ask: Ask) -> None:
    phone, others = "+12125550101", "+12125550102"
    mother = await make_member(phone=phone)
    father = await make_member(phone="+12125550103", household_id=mother.household_id)
    stranger = await make_member(phone=others)
    herself = member_actor(mother)
    query = """query($stranger: ID!, $phone: String!) {
      me { id phone identities { value } household { carers { id phone } } }
      stranger: member(id: $stranger) { id }
      byPhone: member(phone: $phone) { id }
      nobody: member(phone: "+12125550199") { id }
    }"""
    answer = await ask(herself, query, stranger=f"Member:{stranger.id}", phone=others)
    assert answer.data["me"]["phone"] == phone  # her own in full
    assert answer.data["me"]["identities"] == [{"value": phone}]
    carers = {carer["id"]: carer["phone"] for carer in answer.data["me"]["household"]["carers"]}
    assert carers == {f"Member:{mother.id}": phone, f"Member:{father.id}": "***0103"}
    assert answer.data["stranger"] is answer.data["byPhone"] is answer.data["nobody"] is None
    refused = await ask(herself, "{ members(search: {}, first: 5) { totalCount } me { id } }")
    assert refused.codes == ["FORBIDDEN"]
    assert refused.body["data"] == {"members": None, "me": {"id": f"Member:{mother.id}"}}


async def test_an_erased_member_is_nowhere(ask: Ask) -> None:
    member = await make_member(phone="+12125550188", status="ERASED")
    order, baby = await make_order(member), await make_baby(member)
    reached = await ways(ask, await make_actor(Role.OPERATOR), member, order, baby, "+12125550188")
    assert set(reached.values()) == {False}


@pytest.mark.parametrize(
    ("role", "field", "is_allowed"),
    [
        (Role.ANALYST, "babies { nickname }", False),
        (Role.ANALYST, "phone", False),
        (Role.ANALYST, "scores { probability reasonCodes: model }", True),
        (Role.ANALYST, "timeline(first: 5) { edges { node { __typename } } }", True),
        (Role.ANALYST, "messages(first: 5) { edges { node { body } } }", True),  # no row, so nothing to refuse
        (Role.AUDITOR, "orders(first: 5) { totalCount }", False),
        (Role.AUDITOR, "tags { key }", False),
        (Role.CONSULTANT, "babies { nickname }", True),
    ],
)
async def test_a_field_is_refused_by_its_permission(ask: Ask, role: Role, field: str, is_allowed: bool) -> None:
    member = await make_member(phone="+12125550111")
    await make_baby(member, nickname="Mia")
    query = f"query($id: ID!) {{ member(id: $id) {{ id x: {field} }} }}"
    answer = await ask(await make_actor(role), query, id=f"Member:{member.id}")
    assert answer.codes == ([] if is_allowed else ["FORBIDDEN"])
    if not is_allowed:
        assert answer.body["data"]["member"] == {"id": f"Member:{member.id}", "x": None}
        assert answer.body["errors"][0]["path"] == ["member", "x"]
        assert answer.body["errors"][0]["extensions"]["permission"].startswith("READ_")


async def test_the_timeline_leaves_out_what_may_not_be_read(ask: Ask) -> None:
    member = await make_member()
    await make_order(member)
    await make_visit(member)
    query = "query($id: ID!) { member(id: $id) { timeline(first: 5) { totalCount edges { node { __typename } } } } }"
    seen = (await ask(member_actor(member), query, id=f"Member:{member.id}")).data["member"]["timeline"]
    assert seen == {"totalCount": 1, "edges": [{"node": {"__typename": "Order"}}]}


async def test_scores_are_for_staff(ask: Ask) -> None:
    member = await make_member()
    model = await ScoringModel.create(
        name="churn", version="1", family="lightgbm", state=ModelState.CHAMPION, as_of=date(2017, 12, 1),
        horizon_days=30, feature_hash="-", data_hash="-", artifact="", trained_at=real_now(),
    )  # fmt: skip
    await Score.create(
        member_id=member.id, model_name="churn", probability=0.25, rank=1, model_id=model.id, as_of=date(2017, 12, 1)
    )
    query = "query($id: ID!) { member(id: $id) { scores { model probability asOf } } }"
    staff = await ask(await make_actor(Role.CONSULTANT), query, id=f"Member:{member.id}")
    assert staff.data["member"]["scores"] == [{"model": "churn", "probability": 0.25, "asOf": "2017-12-01"}]
    herself = await ask(member_actor(member), query, id=f"Member:{member.id}")
    assert herself.codes == ["FORBIDDEN"]


async def test_staff_reads_of_babies_leave_one_audit_row_an_operation(ask: Ask) -> None:
    mother = await make_member()
    father = await make_member(household_id=mother.household_id)
    other = await make_member()
    for member in (mother, other):
        await make_baby(member)
    await make_member()  # without a baby: nothing of hers is noted
    consultant = await make_actor(Role.CONSULTANT)
    query = "query($a: ID!, $b: ID!) { a: member(id: $a) { babies { sex } } b: member(id: $b) { babies { sex } } }"
    await ask(consultant, query, a=f"Member:{mother.id}", b=f"Member:{other.id}")
    await ask(consultant, "{ members(search: {}, first: 9) { edges { node { babies { sex } } } } }")
    await ask(member_actor(mother), "{ me { babies { sex } } }")
    await ask(consultant, "query($a: ID!) { member(id: $a) { name } }", a=f"Member:{mother.id}")
    await ask(frontend_actor(), "query($a: ID!) { member(id: $a) { babies { sex } } }", a=f"Member:{mother.id}")
    rows = await connection().execute_query_dict(
        "SELECT actor_id, member_ids, operation_hash FROM audit_entries WHERE action = 'read_babies' ORDER BY id"
    )
    families = {mother.id, father.id, other.id}
    assert [set(row["member_ids"]) for row in rows] == [families, families, {mother.id, father.id}]
    assert rows[0]["actor_id"] == consultant.id
    assert len(rows[0]["operation_hash"]) == 64
