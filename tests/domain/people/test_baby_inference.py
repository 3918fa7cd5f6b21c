"""Baskets hint at a baby: two or more, of half a year, with what hardly anybody else buys; never against her word."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.commerce.orders import Order, OrderChannel, OrderLine
from domain.commerce.products import BabyClass, FormulaClass, Product
from domain.people.babies import Baby
from domain.people.baby_inference import infer_babies
from domain.people.members import Member
from domain.platform.ids import new_id
from tests.factories import NOON, make_baby, make_member

pytestmark = pytest.mark.usefixtures("db")


async def buys(member: Member, baby_class: BabyClass, *days_ago: int) -> None:
    """One basket a day given, each with one product of this class."""
    formula = FormulaClass.UNKNOWN if baby_class is BabyClass.FORMULA else FormulaClass.NONE
    product = await Product.create(
        source="test", external_id=str(new_id()), name="-", category="-", baby_class=baby_class, formula_class=formula
    )
    for days in days_ago:
        order = await Order.create(
            source="test", external_id=str(new_id()), member_id=member.id, channel=OrderChannel.POS,
            ordered_at=NOON - timedelta(days=days), currency="USD", total=Decimal(1), payload_hash="-",
        )  # fmt: skip
        await OrderLine.create(
            order_id=order.id, line_no=1, product_id=product.id, quantity=Decimal(1), amount=Decimal(1)
        )


async def confidences() -> dict[UUID, float]:
    found = await Baby.filter(presence_source="INFERRED")
    return {baby.household_id: round(baby.presence_confidence, 3) for baby in found}


async def test_two_baskets_hint_at_a_baby_and_more_make_it_likelier() -> None:
    gift, two, many, old, wipes, later = [await make_member() for _ in range(6)]
    await buys(gift, BabyClass.DIAPER, 3)
    await buys(two, BabyClass.FORMULA, 3, 30)
    await buys(many, BabyClass.BABY_FOOD, *range(1, 20))
    await buys(old, BabyClass.DIAPER, 200, 210, 220)
    await buys(wipes, BabyClass.BABY_CARE, 1, 2, 3)
    await buys(later, BabyClass.DIAPER, -1, -2)
    assert len(await infer_babies(NOON)) == 2
    assert await confidences() == {two.household_id: 0.64, many.household_id: 0.95}
    babies = await Baby.all()
    assert all(baby.born_on is None and baby.due_on is None for baby in babies)


async def test_a_household_that_has_a_baby_or_lost_one_gets_none() -> None:
    told, lost = await make_member(), await make_member()
    await make_baby(told)
    await make_baby(lost, stopped_at=NOON - timedelta(days=9))
    for member in (told, lost):
        await buys(member, BabyClass.DIAPER, 1, 2, 3)
    assert await infer_babies(NOON) == []


async def test_two_inferences_at_once_see_one_baby() -> None:
    member = await make_member()
    await buys(member, BabyClass.DIAPER, 1, 2)
    await asyncio.gather(*(infer_babies(NOON) for _ in range(4)))
    assert await Baby.filter(household_id=member.household_id).count() == 1
