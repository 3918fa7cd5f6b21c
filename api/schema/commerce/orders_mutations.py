"""Recording an order."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import Failure, IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, at_most, granted, translates
from domain.commerce import order_ingest, orders
from domain.commerce.order_input import GivenLine, GivenOrder
from domain.commerce.orders import OrderChannel

if TYPE_CHECKING:
    from api.schema.commerce.orders import Order
    from api.schema.people.members import Member

MOST_LINES = 500


@strawberry.type(description="The order is on her timeline.")
class OrderRecorded:
    order: Annotated["Order", strawberry.lazy("api.schema.commerce.orders")] | None = strawberry.field(
        description="With its lines; null when sold to nobody known or out of the caller's scope."
    )
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="The buyer."
    )
    is_new: bool = strawberry.field(description="false: this very receipt was recorded before, and stands.")


@strawberry.type(description="Another receipt has this source and external id. Nothing was overwritten.")
class OrderConflict(Failure):
    order: Annotated["Order", strawberry.lazy("api.schema.commerce.orders")] | None = strawberry.field(
        description="The one that stands; null when out of the caller's scope."
    )


@strawberry.type(description="Products that the catalogue does not have.")
class ProductsNotFound(Failure):
    products: list[str] = strawberry.field(description="Their codes.")


@strawberry.type(description="No such store.")
class StoreNotFound(Failure):
    pass


RecordOrderResult = Annotated[
    OrderRecorded
    | OrderConflict
    | MemberNotFound
    | StoreNotFound
    | ProductsNotFound
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("RecordOrderResult"),
]


@strawberry.input(description="A line of a receipt; the product by its id, or by its code in the order's source.")
class OrderLineInput:
    product_id: strawberry.ID | None = strawberry.field(default=None, description="Of the catalogue.")
    product_code: str | None = strawberry.field(default=None, description="As the order's source calls it.")
    quantity: Decimal = strawberry.field(description="From 0 on, up to three decimals.")
    amount: Decimal = strawberry.field(description="Paid for the line, after discounts.")
    discount: Decimal = strawberry.field(default=Decimal(0), description="Taken off the line.")


@strawberry.input(description="A receipt. Source and external id are its key: the same receipt twice is one order.")
class RecordOrderInput:
    external_id: str = strawberry.field(description="The receipt's own number in its source.")
    source: str | None = strawberry.field(default=None, description="The till or shop; left out: the caller's system.")
    member_id: strawberry.ID | None = strawberry.field(default=None, description="Left out: sold to nobody known.")
    store_id: strawberry.ID | None = strawberry.field(default=None, description="Left out: the caller's store.")
    channel: OrderChannel = strawberry.field(description="Where it was placed.")
    ordered_at: datetime = strawberry.field(description="The till's own time (business clock).")
    currency: str | None = strawberry.field(default=None, description="ISO 4217; left out: the installation's.")
    lines: list[OrderLineInput] = strawberry.field(description=f"1 to {MOST_LINES} lines.")


@strawberry.type
class OrderMutations:
    @strawberry.mutation(
        description="Record an order of any channel. The same receipt again answers the first; another receipt "
        "under its key is a conflict for a person to look at."
    )
    async def record_order(
        self, info: Info, input: RecordOrderInput, idempotency_key: IdempotencyKey
    ) -> RecordOrderResult:
        actor, given = info.context.actor, _receipt(info, input)
        answers = (
            orders.OrderRecorded, order_ingest.OrderConflict, order_ingest.StoreNotFound, order_ingest.ProductsNotFound,
        )  # fmt: skip
        return await granted(
            info, idempotency_key, input, answers,
            lambda: orders.record_order(actor, given),
            lambda answer: _answer(info, answer),
        )  # fmt: skip


def _receipt(info: Info, given: RecordOrderInput) -> GivenOrder:
    return GivenOrder(
        source=given.source or "",
        external_id=given.external_id,
        ordered_at=given.ordered_at,
        channel=given.channel,
        currency=given.currency or info.context.config.currency,
        lines=tuple(
            GivenLine(
                line.quantity, line.amount, line.discount, product=line.product_code or "", product_id=_product(line)
            )
            for line in at_most(MOST_LINES, "lines", given.lines)
        ),
        member_id=decode_id("Member", given.member_id) if given.member_id is not None else None,
        store_id=decode_id("Store", given.store_id) if given.store_id is not None else None,
    )


def _product(line: OrderLineInput) -> UUID | None:
    return decode_id("Product", line.product_id) if line.product_id is not None else None


def _answer(info: Info, answer: orders.OrderRecorded | order_ingest.OrderConflict) -> OrderRecorded | OrderConflict:
    order = project(info, "Order", answer.order_id)
    if isinstance(answer, order_ingest.OrderConflict):
        return OrderConflict(message="Another receipt has this number. Nothing was overwritten.", order=order)
    member = project(info, "Member", answer.member_id) if answer.member_id else None
    return OrderRecorded(order=order, member=member, is_new=answer.is_new)


@translates(order_ingest.StoreNotFound)
def _store_not_found(_: order_ingest.StoreNotFound) -> StoreNotFound:
    return StoreNotFound(message="No such store.")


@translates(order_ingest.ProductsNotFound)
def _products_not_found(failure: order_ingest.ProductsNotFound) -> ProductsNotFound:
    return ProductsNotFound(message="The catalogue does not have these products.", products=list(failure.products))
