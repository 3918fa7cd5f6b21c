"""Rows of an orders file as values: one row a line; the rows of an order stand together. Pure."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from domain.commerce.order_channels import OrderChannel
from domain.commerce.order_input import Buyer, GivenLine, GivenOrder
from domain.commerce.product_imports import product_of
from domain.commerce.returns import GivenReturn, ReturnedLine
from domain.people.identities import IdentityKind
from domain.people.phones import normalised_email, normalised_phone
from domain.platform.import_rows import (
    Cells,
    Column,
    Flawed,
    Row,
    read_choice,
    read_decimal,
    read_time,
    refuse_rounded,
)

KIND = "orders"

COLUMNS = (
    Column("order_id", "The source's own id of the receipt. Rows of one order stand together.", is_required=True),
    Column("ordered_at", "When, by the till's clock. Needed in sales; without an offset it is the TIME_ZONE's time."),
    Column("product", "Code of the product in this source. Needed in sales."),
    Column("product_name", "With it an unknown product is added to the catalogue."),
    Column("category", "Category of an added product."),
    Column("baby_class", "FORMULA, BABY_FOOD, DIAPER, BABY_CARE or NONE, of an added product."),
    Column("formula_class", "Formula law's class of an added product; formula without one is UNKNOWN, the strictest."),
    Column("formula_stage", "1 to 4, where the label of an added product says so."),
    Column("quantity", "Pieces or kilograms, up to three decimals. Default 1."),
    Column("amount", "Paid for the line after discounts. In returns: refunded; empty = pro rata of what was paid."),
    Column("discount", "Taken off the line. Default 0."),
    Column("currency", "ISO 4217. Default: the installation's CURRENCY."),
    Column("channel", "POS, MALL, MARKETPLACE, MINI_PROGRAM or CALL_CENTRE. Default POS."),
    Column("store", "Code of the store in this source."),
    Column("store_name", "With it an unknown store is created."),
    Column("member", "The buyer: her external_id of this source. Or one of the next three; none: nobody we know."),
    Column("card", "The buyer by her card."),
    Column("phone", "The buyer by her phone."),
    Column("email", "The buyer by her e-mail."),
    Column("return_id", "Makes the row a return of the order: the source's own id of the return."),
    Column("returned_at", "When it came back. Needed in returns."),
    Column("line_no", "Which line of the order came back, counted from 1. Needed in returns."),
)
HEAD = ("ordered_at", "currency", "channel", "store", "member", "card", "phone", "email")
"""What all rows of an order say alike."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What rows leave out, and how their phones and times are read."""

    phone_region: str
    currency: str
    zone: ZoneInfo


@dataclass(frozen=True)
class Group:
    """The rows of one order or return, with their places in the chunk."""

    places: range
    rows: Sequence[Row]


def key_of(values: dict[str, str]) -> str:
    """What a row speaks of: its return or its order."""
    back = (values.get("return_id") or "").strip()
    order = (values.get("order_id") or "").strip()
    return f"return {back} of {order}"[:200] if back else order[:200]


def groups(rows: Sequence[Row]) -> Iterator[Group]:
    """Neighbours that speak of the same order or return; a row that names none stands alone."""
    for _, found in groupby(enumerate(rows), key=lambda numbered: numbered[1].key or f"row {numbered[1].number}"):
        places = list(found)
        yield Group(range(places[0][0], places[-1][0] + 1), [row for _, row in places])


def is_return(group: Group) -> bool:
    return bool((group.rows[0].values.get("return_id") or "").strip())


def sale(cells: list[Cells], source: str, defaults: Defaults) -> GivenOrder | None:
    """The order that these rows say; None or issues in the cells when they cannot."""
    first = cells[0]
    for other in cells[1:]:
        for column in HEAD:
            if (other.row.values.get(column) or "").strip() != (first.row.values.get(column) or "").strip():
                other.wrong(column, "order_mixed", "Rows of one order must say the same here: see its first row.")
    order_id = first.text("order_id", 200, is_required=True)
    if first.text("ordered_at", 40, is_required=True) is None:
        return None
    ordered_at = first.read("ordered_at", read_time(defaults.zone))
    lines = tuple(_line(c) for c in cells)
    channel = first.read("channel", read_choice(OrderChannel)) or OrderChannel.POS
    currency, store, buyer = first.text("currency", 3), first.text("store", 200), _buyer(first, defaults)
    if order_id is None or ordered_at is None or any(c.issues for c in cells):
        return None
    return GivenOrder(
        source=source,
        external_id=order_id,
        ordered_at=ordered_at,
        channel=channel,
        currency=(currency or defaults.currency).upper(),
        lines=lines,
        buyer=buyer,
        store=store,
    )


def _line(cells: Cells) -> GivenLine:
    product = cells.text("product", 200, is_required=True)
    quantity = cells.read("quantity", read_decimal)
    amount = cells.read("amount", read_decimal) if cells.text("amount", 40, is_required=True) else None
    discount = cells.read("discount", read_decimal)
    product_of(cells)  # says what is wrong with a new product's columns
    return GivenLine(
        quantity=Decimal(1) if quantity is None else quantity,
        amount=amount or Decimal(0),
        discount=discount or Decimal(0),
        product=product or "",
    )


def _buyer(cells: Cells, defaults: Defaults) -> Buyer | None:
    def phone(text: str) -> str:
        found = normalised_phone(refuse_rounded(text), defaults.phone_region)
        if found is None:
            raise Flawed("bad_phone", "No valid number: write it with its country code, such as +86 138 0013 8000.")
        return found

    def email(text: str) -> str:
        found = normalised_email(text)
        if found is None:
            raise Flawed("bad_email", "This cannot be an e-mail address.")
        return found

    named = (
        (IdentityKind.EXTERNAL_ID, cells.read("member", refuse_rounded)),
        (IdentityKind.CARD, cells.read("card", refuse_rounded)),
        (IdentityKind.PHONE, cells.read("phone", phone)),
        (IdentityKind.EMAIL, cells.read("email", email)),
    )
    return next((Buyer(kind, value) for kind, value in named if value), None)


def returned(cells: list[Cells], source: str, defaults: Defaults) -> GivenReturn | None:
    """The return that these rows say; None or issues in the cells when they cannot."""
    first = cells[0]
    return_id = first.text("return_id", 200, is_required=True)
    order_id = first.text("order_id", 200, is_required=True)
    at = None
    if first.text("returned_at", 40, is_required=True):
        at = first.read("returned_at", read_time(defaults.zone))
    lines = []
    for c in cells:
        number = c.read("line_no", _line_no) if c.text("line_no", 10, is_required=True) else None
        quantity, amount = c.read("quantity", read_decimal), c.read("amount", read_decimal)
        lines.append(ReturnedLine(number or 0, Decimal(1) if quantity is None else quantity, amount))
    if return_id is None or order_id is None or at is None:
        return None
    is_day_only = ":" not in unicodedata.normalize("NFKC", first.row.values["returned_at"])
    return GivenReturn(
        source, return_id, at, tuple(lines), order_source=source, order_external_id=order_id, is_day_only=is_day_only
    )


def _line_no(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 5_000:
        raise Flawed("bad_number", "The place of the line in its order, counted from 1.")
    return int(text)
