"""Purchases and visits for the API's tests."""

import secrets
from datetime import timedelta
from typing import Any

from domain.care.interactions import Direction, Interaction, InteractionKind
from domain.commerce.orders import Order, OrderChannel, OrderLine
from domain.commerce.products import Product
from domain.people.members import Member
from domain.platform.sources import Channel
from tests.factories import NOON


async def make_order(member: Member, days_ago: float = 0, total: str = "12.50", **fields: Any) -> Order:
    key = secrets.token_hex(6)
    product = await Product.create(source="test", external_id=key, name="Diapers", category="DIAPERS")
    order = await Order.create(
        source="test", external_id=key, member_id=member.id, channel=OrderChannel.POS,
        ordered_at=NOON - timedelta(days=days_ago), currency="USD", total=total, payload_hash="-", **fields,
    )  # fmt: skip
    await OrderLine.create(order_id=order.id, line_no=1, product_id=product.id, quantity="1", amount=total)
    return order


async def make_visit(member: Member, days_ago: float = 0, **fields: Any) -> Interaction:
    kind = {"kind": InteractionKind.VISIT, "channel": Channel.STORE}
    return await Interaction.create(
        member_id=member.id, direction=Direction.INBOUND, occurred_at=NOON - timedelta(days=days_ago), source="test",
        external_id=secrets.token_hex(6), **{**kind, **fields},
    )  # fmt: skip
