"""What a profile answers, in how many statements."""

from datetime import date

from domain.platform.roles import Role
from domain.platform.sources import Source
from tests.api.conftest import Ask
from tests.api.orders import make_order, make_visit
from tests.factories import make_actor, make_baby, make_member, make_store

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
