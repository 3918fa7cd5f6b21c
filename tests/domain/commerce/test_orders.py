"""The same receipt twice is one order; another under its key changes nothing; a buyer out of scope is nobody."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.commerce.order_ingest import (
    BuyerNotFound,
    OrderConflict,
    OrderLanded,
    OrderRepeated,
    ProductsNotFound,
    StoreNotFound,
    ingest_orders,
)
from domain.commerce.order_input import GivenLine, GivenOrder
from domain.commerce.orders import OrderChannel, OrderRecorded, record_order
from domain.commerce.products import Product
from domain.commerce.returns import (
    GivenReturn,
    OrderNotFound,
    ReturnConflict,
    ReturnedLine,
    ReturnExceedsOrder,
    ReturnRecorded,
    record_return,
)
from domain.commerce.staff import RowScope
from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.identities import IdentityKind
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from tests.factories import NOON, any_id, make_actor, make_member, make_store

pytestmark = pytest.mark.usefixtures("db")


async def make_product(code: str, source: str = "pos") -> Product:
    return await Product.create(source=source, external_id=code, name=f"Product {code}", category="DIAPERS")


def receipt(number: str = "R1", **fields: Any) -> GivenOrder:
    lines = (
        GivenLine(Decimal(2), Decimal("19.98"), product="P1"),
        GivenLine(Decimal(1), Decimal("5.01"), product="P2"),
    )
    given = {"channel": OrderChannel.POS, "currency": "USD", "lines": lines, "ordered_at": NOON - timedelta(hours=1)}
    return GivenOrder(source="pos", external_id=number, **{**given, **fields})


def as_json(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "source": "pos", "external_id": number, "ordered_at": "2017-12-01T10:00:00Z", "channel": "POS",
        "lines": [{"product": "P1", "quantity": 1, "amount": "9.99"}], **fields,
    }  # fmt: skip


async def ingest(*orders: dict[str, Any]) -> list[Any]:
    return await ingest_orders(orders, phone_region="US", currency="USD")


async def count(table: str) -> int:
    return int((await connection().execute_query_dict(f"SELECT count(*) AS n FROM {table}"))[0]["n"])


@pytest.fixture(autouse=True)
async def _catalogue(db: str) -> None:
    await set_business_clock(NOON)
    await make_product("P1")
    await make_product("P2")


async def test_a_receipt_is_recorded_once_and_a_changed_one_never_overwrites_it() -> None:
    actor = await make_actor(Role.ADVISOR)
    member = await make_member()
    first = await record_order(actor, receipt(member_id=member.id))
    assert isinstance(first, OrderRecorded)
    assert first.is_new
    again = await record_order(actor, receipt(member_id=member.id, ordered_at=NOON - timedelta(hours=1)))
    assert again == OrderRecorded(first.order_id, member.id, is_new=False)
    changed = await record_order(
        actor, receipt(member_id=member.id, lines=(GivenLine(Decimal(1), Decimal(1), product="P1"),))
    )
    assert changed == OrderConflict(first.order_id)
    row = (await connection().execute_query_dict("SELECT total, served_by_id, member_id FROM orders"))[0]
    assert row == {"total": Decimal("24.99"), "served_by_id": actor.staff_id, "member_id": member.id}
    assert await count("order_lines") == 2


async def test_numbers_written_otherwise_are_the_same_receipt() -> None:
    assert isinstance((await ingest(as_json("R1")))[0], OrderLanded)
    same = as_json(
        "R1", ordered_at="2017-12-01T11:00:00+01:00", lines=[{"product": "P1", "quantity": "1.000", "amount": 9.99}]
    )
    assert isinstance((await ingest(same))[0], OrderRepeated)


async def test_a_buyer_out_of_scope_answers_like_nobody() -> None:
    store, other = await make_store(), await make_store()
    actor = await make_actor(Role.ADVISOR, RowScope.STORE, store_id=store.id)
    hers, foreign = await make_member(store_id=store.id), await make_member(store_id=other.id)
    assert isinstance(await record_order(actor, receipt("A", member_id=hers.id)), OrderRecorded)
    assert await record_order(actor, receipt("B", member_id=foreign.id)) == MemberNotFound()
    assert await record_order(actor, receipt("B", member_id=any_id())) == MemberNotFound()
    assert await count("orders") == 1


async def test_what_cannot_be_right_is_named_and_nothing_is_written() -> None:
    actor = await make_actor(Role.OPERATOR)
    refused = await record_order(
        actor,
        receipt(
            ordered_at=NOON + timedelta(days=3),
            currency="usd",
            lines=(GivenLine(Decimal(-1), Decimal("1.005"), product="P1"),),
        ),
    )
    assert isinstance(refused, ValidationError)
    assert {e.field for e in refused.errors} == {"orderedAt", "currency", "lines.0.quantity", "lines.0.amount"}
    unknown = receipt(
        lines=(GivenLine(Decimal(1), Decimal(1), product="P9"), GivenLine(Decimal(1), Decimal(1), product="P1"))
    )
    assert await record_order(actor, unknown) == ProductsNotFound(("P9",))
    assert await record_order(actor, receipt(store="S9")) == StoreNotFound()
    assert isinstance(await record_order(await make_actor(Role.CONSULTANT), receipt()), NotPermitted)
    assert await count("orders") == 0


async def test_a_batch_answers_each_order_for_itself() -> None:
    member = await make_member(phone="+12015550123", source="pos", external_id="M1")
    outcomes = await ingest(
        as_json("1", member={"phone": "(201) 555-0123"}),
        as_json("2", member={"external_id": "M1"}),
        as_json("3"),
        as_json("1", member={"phone": "+12015550123"}),
        as_json("2"),
        as_json("4", member={"card": "nobody's"}),
        as_json("5", lines=[]),
        as_json("6", ordered_at="2017-13-45"),
        as_json("7", lines=[{"product": "P1", "amount": "much"}]),
        as_json("8", member={"phone": "123"}),
        as_json("9", store="S9"),
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [
        OrderLanded, OrderLanded, OrderLanded, OrderRepeated, OrderConflict, BuyerNotFound, ValidationError,
        ValidationError, ValidationError, ValidationError, StoreNotFound,
    ]  # fmt: skip
    assert [outcomes[n].member_id for n in range(4)] == [member.id, member.id, None, member.id]
    assert (await count("orders"), await count("order_lines")) == (3, 3)


async def test_of_many_tills_that_send_the_same_receipts_at_once_one_wins_each() -> None:
    batches = [[as_json(str(n)) for n in order] for order in (range(50), reversed(range(50)), range(25, 75), range(10))]
    answers = await asyncio.gather(*(ingest(*batch) for batch in batches))
    outcomes = [outcome for answer in answers for outcome in answer]
    assert (
        sum(isinstance(o, OrderLanded) for o in outcomes) == 75 == await count("orders") == await count("order_lines")
    )
    assert all(isinstance(o, OrderLanded | OrderRepeated) for o in outcomes)


async def test_goods_come_back_pro_rata_once_and_never_more_than_were_bought() -> None:
    actor = await make_actor(Role.OPERATOR)
    member = await make_member()
    lines = (
        GivenLine(Decimal(3), Decimal("10.00"), product="P1"),
        GivenLine(Decimal(1), Decimal("5.00"), product="P2"),
    )
    order = await record_order(actor, receipt(member_id=member.id, lines=lines))
    assert isinstance(order, OrderRecorded)

    def back(number: str, *returned: ReturnedLine) -> GivenReturn:
        return GivenReturn("pos", number, NOON, returned, order_external_id="R1", order_source="pos")

    one = await record_return(actor, back("B1", ReturnedLine(1, Decimal(1))))
    assert isinstance(one, ReturnRecorded)
    assert (one.amount, one.is_new) == (Decimal("3.33"), True)
    assert await record_return(actor, back("B1", ReturnedLine(1, Decimal(1)))) == ReturnRecorded(
        one.return_id, order.order_id, Decimal("3.33"), is_new=False
    )
    assert await record_return(actor, back("B1", ReturnedLine(1, Decimal(2)))) == ReturnConflict(one.return_id)
    assert await record_return(actor, back("B2", ReturnedLine(1, Decimal(3)))) == ReturnExceedsOrder(1)
    assert await record_return(actor, back("B2", ReturnedLine(7, Decimal(1)))) == ReturnExceedsOrder(7)
    assert await record_return(actor, back("B2", ReturnedLine(2, Decimal(1), Decimal("5.01")))) == ReturnExceedsOrder(2)
    last = await record_return(actor, back("B2", ReturnedLine(1, Decimal(2)), ReturnedLine(2, Decimal(1), Decimal(4))))
    assert isinstance(last, ReturnRecorded)
    assert last.amount == Decimal("10.67")
    missing = GivenReturn("pos", "B3", NOON, (ReturnedLine(1, Decimal(1)),), order_external_id="R0")
    assert await record_return(actor, missing) == OrderNotFound()


async def test_goods_do_not_come_back_before_they_were_bought_but_word_of_it_may() -> None:
    actor = await make_actor(Role.OPERATOR)
    bought_at = NOON - timedelta(hours=1)

    def back(at: datetime, **more: Any) -> GivenReturn:
        return GivenReturn("pos", "B1", at, (ReturnedLine(1, Decimal(1)),), order_external_id="R1", **more)

    assert await record_return(actor, back(NOON)) == OrderNotFound()  # word of the return came first: send it again
    assert isinstance(await record_order(actor, receipt(ordered_at=bought_at)), OrderRecorded)
    early = ValidationError.of("returnedAt", "Goods cannot come back before they were bought.")
    assert await record_return(actor, back(bought_at - timedelta(seconds=1))) == early
    morning = NOON.replace(hour=0)
    assert await record_return(actor, back(morning)) == early
    assert await record_return(actor, back(morning - timedelta(days=1), is_day_only=True)) == early
    assert await count("order_returns") == 0
    assert isinstance(await record_return(actor, back(morning, is_day_only=True)), ReturnRecorded)


async def test_two_returns_of_the_same_goods_at_once_refund_them_once() -> None:
    actor = await make_actor(Role.OPERATOR)
    await record_order(actor, receipt())
    answers = await asyncio.gather(
        *(
            record_return(
                actor, GivenReturn("pos", f"B{n}", NOON, (ReturnedLine(1, Decimal(2)),), order_external_id="R1")
            )
            for n in range(6)
        )
    )
    assert sorted(type(a).__name__ for a in answers) == ["ReturnExceedsOrder"] * 5 + ["ReturnRecorded"]


async def test_a_card_that_two_issuers_gave_to_different_people_means_nobody() -> None:
    from tests.factories import make_identity

    for issuer in ("mall", "bank"):
        await make_identity(await make_member(), IdentityKind.CARD, "77", namespace=issuer)
    assert isinstance((await ingest(as_json("1", member={"card": "77"})))[0], BuyerNotFound)
