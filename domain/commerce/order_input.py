"""Orders as they come in: plain values checked on their own, before the database is asked anything."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson

from domain.commerce.order_channels import OrderChannel
from domain.people.identities import IdentityKind
from domain.people.phones import normalised_email, normalised_phone
from domain.platform.failures import FieldError

SOURCE_LENGTH = 64
ID_LENGTH = 200
LINES_AT_MOST = 5_000
LARGEST_AMOUNT = Decimal(10) ** 12
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)  # a till may run ahead of us
CENT = Decimal("0.01")
THOUSANDTH = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who bought, as the till knows her. EXTERNAL_ID is her id in the order's own source."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class GivenLine:
    """A line of a receipt. The product by its id here, or by its code in the catalogue of the order's source."""

    quantity: Decimal
    amount: Decimal  # paid, after discounts
    discount: Decimal = Decimal(0)
    product: str = ""
    product_id: UUID | None = None


@dataclass(frozen=True)
class GivenOrder:
    """A receipt. Buyer and store by their ids here or by what the source calls them; no buyer: sold to nobody known."""

    source: str
    external_id: str
    ordered_at: datetime  # aware
    channel: OrderChannel
    currency: str
    lines: tuple[GivenLine, ...] = field(default=())
    buyer: Buyer | None = None
    member_id: UUID | None = None
    store: str | None = None
    store_id: UUID | None = None
    served_by_id: UUID | None = None

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    @cached_property
    def payload_hash(self) -> str:
        """SHA-256 of everything the till said, whatever the spelling of its numbers."""
        said = (
            self.ordered_at.astimezone(UTC), self.channel.value, self.currency, self.store, self.store_id,
            self.member_id, self.buyer and (self.buyer.kind.value, self.buyer.value),
            [
                (line.product, line.product_id, str(line.quantity.quantize(THOUSANDTH)),
                 str(line.amount.quantize(CENT)), str(line.discount.quantize(CENT)))
                for line in self.lines
            ],
        )  # fmt: skip
        return hashlib.sha256(orjson.dumps(said)).hexdigest()


def order_flaws(order: GivenOrder, now: datetime) -> list[FieldError]:
    """What cannot be right about the order itself; `now` is the business clock."""
    flaws = []
    if not 0 < len(order.source) <= SOURCE_LENGTH:
        flaws.append(FieldError("source", f"1 to {SOURCE_LENGTH} characters."))
    if not 0 < len(order.external_id) <= ID_LENGTH:
        flaws.append(FieldError("externalId", f"1 to {ID_LENGTH} characters."))
    if not EARLIEST <= order.ordered_at <= now + CLOCK_SKEW:
        flaws.append(FieldError("orderedAt", "A date between 1990 and now."))
    if not (len(order.currency) == 3 and order.currency.isalpha() and order.currency.isupper()):
        flaws.append(FieldError("currency", "Three capital letters of ISO 4217, such as USD."))
    if not 0 < len(order.lines) <= LINES_AT_MOST:
        flaws.append(FieldError("lines", f"1 to {LINES_AT_MOST} lines."))
    for number, line in enumerate(order.lines):
        flaws += [FieldError(f"lines.{number}.{name}", told) for name, told in _line_flaws(line)]
    return flaws


def _line_flaws(line: GivenLine) -> list[tuple[str, str]]:
    flaws = []
    if not line.product and line.product_id is None:
        flaws.append(("product", "Say which product."))
    if not 0 <= line.quantity < LARGEST_AMOUNT or line.quantity != line.quantity.quantize(THOUSANDTH):
        flaws.append(("quantity", "A number from 0 on, with up to three decimals."))
    for name, amount in (("amount", line.amount), ("discount", line.discount)):
        if abs(amount) >= LARGEST_AMOUNT or amount != amount.quantize(CENT):
            flaws.append((name, "An amount with up to two decimals."))
    return flaws


def parse_order(raw: Mapping[str, Any], *, phone_region: str, currency: str) -> GivenOrder | list[FieldError]:
    """An order out of parsed JSON. Numbers may be strings or numbers; a time without a zone is UTC.

    Keys: source, external_id, ordered_at, channel, currency, store, member {external_id | card | phone | email | ...},
    lines [{product, quantity, amount, discount}].
    """
    flaws: list[FieldError] = []
    try:
        ordered_at = datetime.fromisoformat(str(raw.get("ordered_at", "")))
    except ValueError:
        flaws.append(FieldError("orderedAt", "A time of ISO 8601, such as 2017-12-15T10:00:00Z."))
        ordered_at = EARLIEST
    channel = _CHANNELS.get(str(raw.get("channel", "POS")))
    if channel is None:
        flaws.append(FieldError("channel", f"One of {', '.join(_CHANNELS)}."))
    buyer = _buyer(raw.get("member"), phone_region)
    if isinstance(buyer, FieldError):
        flaws.append(buyer)
        buyer = None
    lines = _lines(raw.get("lines"), flaws)
    if flaws or channel is None:
        return flaws
    store = raw.get("store")
    return GivenOrder(
        source=str(raw.get("source", "")),
        external_id=str(raw.get("external_id", "")),
        ordered_at=ordered_at if ordered_at.tzinfo else ordered_at.replace(tzinfo=UTC),
        channel=channel,
        currency=str(raw.get("currency") or currency),
        lines=lines,
        buyer=buyer,
        store=None if store is None else str(store),
    )


_CHANNELS = {channel.value: channel for channel in OrderChannel}
_KINDS = {kind.value.lower(): kind for kind in IdentityKind}


def _buyer(raw: object, phone_region: str) -> Buyer | FieldError | None:
    if not raw:
        return None
    if not isinstance(raw, Mapping) or len(raw) != 1:
        return FieldError("member", "One way to know her, such as external_id, card or phone.")
    (name, value), *_ = raw.items()
    kind = _KINDS.get(str(name))
    text: str | None = str(value).strip()
    if kind is IdentityKind.PHONE:
        text = normalised_phone(str(value), phone_region)
    elif kind is IdentityKind.EMAIL:
        text = normalised_email(str(value))
    if kind is None or not text:
        return FieldError("member", f"{name} is not a way to know a member, or its value cannot be right.")
    return Buyer(kind, text)


def _lines(raw: object, flaws: list[FieldError]) -> tuple[GivenLine, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        flaws.append(FieldError("lines", "A list of lines."))
        return ()
    lines = []
    for number, line in enumerate(raw):
        try:
            lines.append(
                GivenLine(
                    quantity=decimal(line.get("quantity", 1)),
                    amount=decimal(line["amount"]),
                    discount=decimal(line.get("discount", 0)),
                    product=str(line["product"]),
                )
            )
        except (InvalidOperation, KeyError, AttributeError, ValueError):
            flaws.append(FieldError(f"lines.{number}", "product, quantity and amount, as text and numbers."))
    return tuple(lines)


def decimal(value: object) -> Decimal:
    """A finite number out of text, an int or a float as it is written; InvalidOperation for anything else."""
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= LARGEST_AMOUNT:
        raise InvalidOperation
    return number
