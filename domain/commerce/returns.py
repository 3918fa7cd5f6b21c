"""Returns: goods of an order that came back, keyed by (source, external id); never more than was bought."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from tortoise.transactions import in_transaction

from domain.commerce.order_input import CENT, CLOCK_SKEW, EARLIEST, ID_LENGTH, SOURCE_LENGTH, THOUSANDTH
from domain.database import connection
from domain.people.provenance import system_of
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_now
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    line_no: int
    quantity: Decimal
    amount: Decimal | None = None  # refunded; None: pro rata of what was paid


@dataclass(frozen=True)
class GivenReturn:
    """What came back of an order, which is named by its id here or by (order_source, order_external_id)."""

    source: str
    external_id: str
    returned_at: datetime  # aware
    lines: tuple[ReturnedLine, ...]
    order_id: UUID | None = None
    order_source: str = ""
    order_external_id: str = ""
    is_day_only: bool = False  # `returned_at` is the beginning of a day: the hour was not said

    def is_before(self, ordered_at: datetime) -> bool:
        """Whether it came back before it was bought; a day is not over before its end."""
        return self.returned_at + (ONE_DAY if self.is_day_only else timedelta(0)) < ordered_at

    @property
    def payload_hash(self) -> str:
        said = (
            self.returned_at.astimezone(UTC), self.order_id, self.order_source, self.order_external_id,
            [
                (line.line_no, str(line.quantity.quantize(THOUSANDTH)), line.amount and str(line.amount.quantize(CENT)))
                for line in self.lines
            ],
        )  # fmt: skip
        return hashlib.sha256(orjson.dumps(said)).hexdigest()


@dataclass(frozen=True, slots=True)
class ReturnRecorded:
    return_id: UUID
    order_id: UUID
    amount: Decimal
    is_new: bool


@dataclass(frozen=True, slots=True)
class OrderNotFound:
    """No such order, or one that the actor may not see. A return may come before its sale: send it again later."""


@dataclass(frozen=True, slots=True)
class ReturnConflict:
    """The key is taken by a return that says something else: nothing was overwritten."""

    return_id: UUID


@dataclass(frozen=True, slots=True)
class ReturnExceedsOrder:
    """More would come back of this line than was bought and not returned before; or there is no such line."""

    line_no: int


Landed = ReturnRecorded | OrderNotFound | ReturnConflict | ReturnExceedsOrder | ValidationError


async def record_return(actor: Actor, given: GivenReturn) -> Landed | NotPermitted:
    """Record one return; the same key and content again answers the first. A line's refund is pro rata unless said."""
    if not actor.may(Permission.WRITE_ORDERS):
        return NotPermitted(Permission.WRITE_ORDERS)
    if not given.source:
        given = GivenReturn(**{**given.__dict__, "source": system_of(actor)})
    flaws = return_flaws(given, await business_now())
    if flaws:
        return ValidationError(tuple(flaws))
    async with in_transaction():
        member_id = await _member_of(given)
        if member_id is not None and not await is_in_scope(actor, member_id):
            return OrderNotFound()
        landed = await land_return(given)
        if isinstance(landed, ReturnRecorded) and landed.is_new and member_id is not None:
            await announce(MEMBER_TIMELINE, member_id)
        return landed


def return_flaws(given: GivenReturn, now: datetime) -> list[FieldError]:
    """What cannot be right about the return itself; `now` is the business clock."""
    flaws = []
    if not 0 < len(given.source) <= SOURCE_LENGTH:
        flaws.append(FieldError("source", f"1 to {SOURCE_LENGTH} characters."))
    if not 0 < len(given.external_id) <= ID_LENGTH:
        flaws.append(FieldError("externalId", f"1 to {ID_LENGTH} characters."))
    if not EARLIEST <= given.returned_at <= now + CLOCK_SKEW:
        flaws.append(FieldError("returnedAt", "A date between 1990 and now."))
    numbers = [line.line_no for line in given.lines]
    if not numbers or len(set(numbers)) != len(numbers):
        flaws.append(FieldError("lines", "Each returned line once, at least one."))
    for number, line in enumerate(given.lines):
        if line.quantity <= 0 or line.quantity != line.quantity.quantize(THOUSANDTH):
            flaws.append(FieldError(f"lines.{number}.quantity", "More than 0, with up to three decimals."))
        if line.amount is not None and (line.amount < 0 or line.amount != line.amount.quantize(CENT)):
            flaws.append(FieldError(f"lines.{number}.amount", "From 0 on, with up to two decimals."))
    return flaws


async def _member_of(given: GivenReturn) -> UUID | None:
    rows = await connection().execute_query_dict(
        "SELECT member_id FROM orders WHERE id = $1 OR ($1::uuid IS NULL AND source = $2 AND external_id = $3)",
        [given.order_id, given.order_source or given.source, given.order_external_id],
    )
    found: UUID | None = rows[0]["member_id"] if rows else None
    return found


async def land_return(given: GivenReturn) -> Landed:
    """Insert a checked return inside the caller's transaction. The order's row is locked, so two returns of the same
    goods cannot both pass.
    """
    orders = await connection().execute_query_dict(
        "SELECT id, ordered_at FROM orders "
        "WHERE id = $1 OR ($1::uuid IS NULL AND source = $2 AND external_id = $3) FOR UPDATE",
        [given.order_id, given.order_source or given.source, given.order_external_id],
    )
    if not orders:
        return OrderNotFound()
    order_id: UUID = orders[0]["id"]
    earlier = await connection().execute_query_dict(
        "SELECT id, order_id, amount, payload_hash FROM order_returns WHERE source = $1 AND external_id = $2",
        [given.source, given.external_id],
    )
    for first in earlier:
        if first["payload_hash"] != given.payload_hash:
            return ReturnConflict(first["id"])
        return ReturnRecorded(first["id"], first["order_id"], first["amount"], is_new=False)
    if given.is_before(orders[0]["ordered_at"]):
        return ValidationError.of("returnedAt", "Goods cannot come back before they were bought.")
    bought = {row["line_no"]: row for row in await _left(order_id)}
    refunds: list[tuple[dict[str, Any], ReturnedLine, Decimal]] = []
    for line in given.lines:
        if line.line_no not in bought or line.quantity > bought[line.line_no]["quantity_left"]:
            return ReturnExceedsOrder(line.line_no)
        row = bought[line.line_no]
        refund = line.amount if line.amount is not None else _pro_rata(row, line.quantity)
        if refund > row["amount_left"]:
            return ReturnExceedsOrder(line.line_no)
        refunds.append((row, line, refund))
    return await _insert(given, order_id, refunds)


LEFT = """
SELECT l.id, l.line_no, l.quantity, l.amount,
       l.quantity - coalesce(sum(r.quantity), 0) AS quantity_left, l.amount - coalesce(sum(r.amount), 0) AS amount_left
FROM order_lines l LEFT JOIN order_return_lines r ON r.order_line_id = l.id
WHERE l.order_id = $1 GROUP BY l.id
"""


async def _left(order_id: UUID) -> list[dict[str, Any]]:
    """The order's lines with what has not come back yet."""
    return await connection().execute_query_dict(LEFT, [order_id])


def _pro_rata(row: dict[str, Any], quantity: Decimal) -> Decimal:
    """The share of what was paid; the last piece gets what is left, so that the cents add up."""
    if quantity == row["quantity_left"]:
        left: Decimal = row["amount_left"]
        return left
    share: Decimal = min((row["amount"] * quantity / row["quantity"]).quantize(CENT), row["amount_left"])
    return share


async def _insert(
    given: GivenReturn, order_id: UUID, refunds: list[tuple[dict[str, Any], ReturnedLine, Decimal]]
) -> ReturnRecorded | ReturnConflict:
    return_id, amount = new_id(), sum((refund for *_, refund in refunds), Decimal(0))
    inserted = await connection().execute_query_dict(
        "INSERT INTO order_returns (id, source, external_id, order_id, returned_at, amount, payload_hash) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (source, external_id) DO NOTHING RETURNING id",
        [return_id, given.source, given.external_id, order_id, given.returned_at, amount, given.payload_hash],
    )
    if not inserted:  # another order's return took the key a moment ago
        return ReturnConflict(return_id)
    await connection().execute_query(
        "INSERT INTO order_return_lines (order_return_id, order_line_id, quantity, amount) "
        "SELECT $1, * FROM unnest($2::bigint[], $3::numeric[], $4::numeric[])",
        [
            return_id, [row["id"] for row, *_ in refunds], [line.quantity for _, line, _ in refunds],
            [refund for *_, refund in refunds],
        ],
    )  # fmt: skip
    return ReturnRecorded(return_id, order_id, amount, is_new=True)
