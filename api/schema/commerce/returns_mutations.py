"""Recording goods that came back."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import Failure, IdempotencyConflict, InProgress, ValidationError
from api.schema.mutations import IdempotencyKey, at_most, granted, translates
from domain.commerce import returns

if TYPE_CHECKING:
    from api.schema.commerce.orders import Order

MOST_LINES = 500


@strawberry.type(description="The goods are back, and the order says so.")
class ReturnRecorded:
    order: Annotated["Order", strawberry.lazy("api.schema.commerce.orders")] | None = strawberry.field(
        description="With its returns; null when sold to nobody known or out of the caller's scope."
    )
    amount: Decimal = strawberry.field(description="Refunded, in the order's currency.")
    is_new: bool = strawberry.field(description="false: this very return was recorded before, and stands.")


@strawberry.type(
    description="No such order, or not for this caller. A return may come before its sale: send it again later, with "
    "another idempotency key."
)
class OrderNotFound(Failure):
    pass


@strawberry.type(description="Another return has this source and external id. Nothing was overwritten.")
class ReturnConflict(Failure):
    pass


@strawberry.type(description="More would come back of a line than was bought and is not back yet, or no such line.")
class ReturnExceedsOrder(Failure):
    line_no: int = strawberry.field(description="Of the order.")


RecordReturnResult = Annotated[
    ReturnRecorded
    | OrderNotFound
    | ReturnConflict
    | ReturnExceedsOrder
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("RecordReturnResult"),
]


@strawberry.input(description="What came back of one line of the order.")
class ReturnLineInput:
    line_no: int = strawberry.field(description="The line's place on the receipt, from 1.")
    quantity: Decimal = strawberry.field(description="More than 0, up to three decimals.")
    amount: Decimal | None = strawberry.field(
        default=None, description="Refunded; left out: pro rata of what was paid."
    )


@strawberry.input(description="Goods of one order. Source and external id are its key: the same return twice is one.")
class RecordReturnInput:
    external_id: str = strawberry.field(description="The return's own number in its source.")
    source: str | None = strawberry.field(default=None, description="The till or shop; left out: the caller's system.")
    order_id: strawberry.ID | None = strawberry.field(default=None, description="The order, by its id here.")
    order_external_id: str | None = strawberry.field(default=None, description="Or by its number in the same source.")
    returned_at: datetime = strawberry.field(description="The till's own time (business clock).")
    lines: list[ReturnLineInput] = strawberry.field(description=f"1 to {MOST_LINES} lines, each once.")


@strawberry.type
class ReturnMutations:
    @strawberry.mutation(
        description="Record goods that came back of an order. The same return again answers the first; never more "
        "comes back than was bought."
    )
    async def record_return(
        self, info: Info, input: RecordReturnInput, idempotency_key: IdempotencyKey
    ) -> RecordReturnResult:
        actor, given = info.context.actor, _given(input)
        answers = (
            returns.ReturnRecorded, returns.OrderNotFound, returns.ReturnConflict, returns.ReturnExceedsOrder,
        )  # fmt: skip
        return await granted(
            info, idempotency_key, input, answers,
            lambda: returns.record_return(actor, given),
            lambda answer: ReturnRecorded(
                order=project(info, "Order", answer.order_id), amount=answer.amount, is_new=answer.is_new
            ),
        )  # fmt: skip


def _given(given: RecordReturnInput) -> returns.GivenReturn:
    return returns.GivenReturn(
        source=given.source or "",
        external_id=given.external_id,
        returned_at=given.returned_at,
        lines=tuple(
            returns.ReturnedLine(line.line_no, line.quantity, line.amount)
            for line in at_most(MOST_LINES, "lines", given.lines)
        ),
        order_id=decode_id("Order", given.order_id) if given.order_id is not None else None,
        order_external_id=given.order_external_id or "",
    )


@translates(returns.OrderNotFound)
def _order_not_found(_: returns.OrderNotFound) -> OrderNotFound:
    return OrderNotFound(message="No such order.")


@translates(returns.ReturnConflict)
def _return_conflict(_: returns.ReturnConflict) -> ReturnConflict:
    return ReturnConflict(message="Another return has this number. Nothing was overwritten.")


@translates(returns.ReturnExceedsOrder)
def _return_exceeds_order(failure: returns.ReturnExceedsOrder) -> ReturnExceedsOrder:
    return ReturnExceedsOrder(message="More than was bought and is not back yet.", line_no=failure.line_no)
