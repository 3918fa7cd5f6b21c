"""Orders of every channel, keyed by (source, external id): the same receipt twice is one order."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.commerce.order_channels import OrderChannel
from domain.commerce.order_ingest import (
    BuyerNotFound,
    OrderConflict,
    OrderLanded,
    OrderRepeated,
    ProductsNotFound,
    StoreNotFound,
    land_orders,
)
from domain.commerce.order_input import GivenOrder, order_flaws
from domain.people.failures import MemberNotFound
from domain.people.provenance import system_of
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission

__all__ = ["Order", "OrderChannel", "OrderLine", "OrderRecorded", "OrderReturn", "OrderReturnLine", "record_order"]

if TYPE_CHECKING:
    from domain.commerce.products import Product
    from domain.commerce.staff import Staff
    from domain.commerce.stores import Store
    from domain.people.members import Member


class Order(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    source = fields.CharField(max_length=64)
    external_id = fields.CharField(max_length=200)
    member: fields.ForeignKeyNullableRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="orders", null=True, on_delete=fields.RESTRICT
    )
    member_id: UUID | None  # null: sold to nobody we know
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="orders", null=True, on_delete=fields.RESTRICT
    )
    store_id: UUID | None
    served_by: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="orders", null=True, on_delete=fields.SET_NULL
    )
    served_by_id: UUID | None
    channel = fields.CharEnumField(OrderChannel, max_length=16)
    ordered_at = fields.DatetimeField()  # business clock: the till's own time
    received_at = fields.DatetimeField(auto_now_add=True)  # real clock
    currency = fields.CharField(max_length=3)
    total = fields.DecimalField(max_digits=14, decimal_places=2)  # sum of the lines' amounts, after discounts
    payload_hash = fields.CharField(max_length=64)  # SHA-256 of what was sent: same key, other hash = quarantine

    class Meta:
        table = "orders"
        unique_together = (("source", "external_id"),)
        constraints = [one_of("orders", "channel", OrderChannel)]


class OrderLine(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    order: fields.ForeignKeyRelation["Order"] = fields.ForeignKeyField(
        "nestling.Order", related_name="lines", on_delete=fields.RESTRICT
    )
    order_id: UUID
    line_no = fields.IntField()
    product: fields.ForeignKeyRelation["Product"] = fields.ForeignKeyField(
        "nestling.Product", related_name="lines", on_delete=fields.RESTRICT
    )
    product_id: UUID
    quantity = fields.DecimalField(max_digits=14, decimal_places=3)
    amount = fields.DecimalField(max_digits=14, decimal_places=2)  # paid for the line, after discounts
    discount = fields.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        table = "order_lines"
        unique_together = (("order", "line_no"),)
        constraints = [CheckConstraint(name="order_lines_quantity_not_negative", check="quantity >= 0")]


class OrderReturn(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    source = fields.CharField(max_length=64)
    external_id = fields.CharField(max_length=200)
    order: fields.ForeignKeyRelation["Order"] = fields.ForeignKeyField(
        "nestling.Order", related_name="returns", on_delete=fields.RESTRICT
    )
    order_id: UUID
    returned_at = fields.DatetimeField()  # business clock
    received_at = fields.DatetimeField(auto_now_add=True)  # real clock
    amount = fields.DecimalField(max_digits=14, decimal_places=2)  # refunded, positive
    payload_hash = fields.CharField(max_length=64)

    class Meta:
        table = "order_returns"
        unique_together = (("source", "external_id"),)
        constraints = [CheckConstraint(name="order_returns_amount_not_negative", check="amount >= 0")]


class OrderReturnLine(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    order_return: fields.ForeignKeyRelation["OrderReturn"] = fields.ForeignKeyField(
        "nestling.OrderReturn", related_name="lines", on_delete=fields.RESTRICT
    )
    order_return_id: UUID
    order_line: fields.ForeignKeyRelation["OrderLine"] = fields.ForeignKeyField(
        "nestling.OrderLine", related_name="returns", on_delete=fields.RESTRICT
    )
    order_line_id: int
    quantity = fields.DecimalField(max_digits=14, decimal_places=3)
    amount = fields.DecimalField(max_digits=14, decimal_places=2)

    class Meta:
        table = "order_return_lines"
        constraints = [CheckConstraint(name="order_return_lines_quantity_positive", check="quantity > 0")]


@dataclass(frozen=True, slots=True)
class OrderRecorded:
    """`is_new` is false when the same receipt was recorded before: it is one order."""

    order_id: UUID
    member_id: UUID | None
    is_new: bool


async def record_order(
    actor: Actor, given: GivenOrder
) -> OrderRecorded | OrderConflict | MemberNotFound | StoreNotFound | ProductsNotFound | NotPermitted | ValidationError:
    """Record one receipt with its lines; the same (source, external id) and content again answers the first order.

    An empty source is the actor's own system; without a store the actor's own; staff served it. A buyer whom the actor
    may not see answers as one who does not exist. An order that says something else under a taken key changes nothing.
    """
    if not actor.may(Permission.WRITE_ORDERS):
        return NotPermitted(Permission.WRITE_ORDERS)
    order = replace(
        given,
        source=given.source or system_of(actor),
        store_id=given.store_id or (actor.store_id if given.store is None else None),
        served_by_id=given.served_by_id or actor.staff_id,
    )
    flaws = order_flaws(order, await business_now())
    if flaws:
        return ValidationError(tuple(flaws))
    async with in_transaction():
        if order.member_id is not None and not await is_in_scope(actor, order.member_id):
            return MemberNotFound()
        outcome = (await land_orders([order]))[0]
        match outcome:
            case OrderLanded(order_id, member_id):
                if member_id is not None:
                    await announce(MEMBER_TIMELINE, member_id)
                return OrderRecorded(order_id, member_id, is_new=True)
            case OrderRepeated(order_id, member_id):
                return OrderRecorded(order_id, member_id, is_new=False)
            case BuyerNotFound():
                return MemberNotFound()
            case _:
                return outcome
