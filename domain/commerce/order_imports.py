"""Landing orders and returns of a file: an order lands with all its rows, or all of them wait."""

from collections.abc import Sequence

from domain.commerce.order_ingest import (
    BuyerNotFound,
    OrderConflict,
    OrderLanded,
    OrderRepeated,
    Outcome,
    ProductsNotFound,
    StoreNotFound,
    land_orders,
)
from domain.commerce.order_input import GivenOrder, order_flaws
from domain.commerce.order_rows import Defaults, Group, groups, is_return, returned, sale
from domain.commerce.product_imports import GivenProduct, add_products, product_of
from domain.commerce.returns import (
    GivenReturn,
    Landed,
    OrderNotFound,
    ReturnConflict,
    ReturnExceedsOrder,
    ReturnRecorded,
    land_return,
    return_flaws,
)
from domain.commerce.store_imports import stores_by_code
from domain.platform.clock import business_now
from domain.platform.failures import FieldError, ValidationError
from domain.platform.import_rows import LANDED, REPEATED, Cells, Issue, Row, RowOutcome
from domain.platform.imports import Lander


def order_lander(defaults: Defaults) -> Lander:
    """Lands a chunk of whole orders and returns inside the caller's transaction; returns after the sales."""

    async def land(source: str, rows: Sequence[Row]) -> list[RowOutcome]:
        now = await business_now()
        outcomes: list[RowOutcome] = [LANDED] * len(rows)
        sales: list[tuple[Group, GivenOrder]] = []
        returns: list[tuple[Group, GivenReturn]] = []
        products: list[GivenProduct] = []
        stores: list[tuple[str, str | None]] = []
        for group in groups(rows):
            cells = [Cells(row) for row in group.rows]
            read = returned(cells, source, defaults) if is_return(group) else sale(cells, source, defaults)
            if not any(c.issues for c in cells) and read is not None:
                flaws = order_flaws(read, now) if isinstance(read, GivenOrder) else return_flaws(read, now)
                _blame(cells, flaws)
            if any(c.issues for c in cells) or read is None:
                _wait(outcomes, group, cells)
            elif isinstance(read, GivenReturn):
                returns.append((group, read))
            else:
                sales.append((group, read))
                products += [p for c in cells if (p := product_of(c)) is not None]
                stores += [(read.store, cells[0].text("store_name", 200))] if read.store else []
        await add_products(source, products)
        await stores_by_code(source, stores, str(defaults.zone))
        for (group, _), outcome in zip(sales, await land_orders([order for _, order in sales]), strict=True):
            _settle(outcomes, group, _sale_outcome(outcome, group))
        for group, back in returns:
            _settle(outcomes, group, _return_outcome(await land_return(back)))
        return outcomes

    return land


COLUMN_OF = {
    "externalId": "order_id", "orderedAt": "ordered_at", "returnedAt": "returned_at", "currency": "currency",
    "source": "", "lines": "",
}  # fmt: skip


def _blame(cells: list[Cells], flaws: list[FieldError]) -> None:
    """Give what is wrong with the whole to the row and column that say it."""
    for flaw in flaws:
        if flaw.field.startswith("lines."):
            _, number, column = flaw.field.split(".")
            cells[int(number)].wrong(column, "bad_number", flaw.message)
        else:
            code = "unlikely_date" if flaw.field.endswith("At") else "bad_value"
            cells[0].wrong(COLUMN_OF.get(flaw.field, flaw.field), code, flaw.message)


def _wait(outcomes: list[RowOutcome], group: Group, cells: list[Cells]) -> None:
    """Rows that are right wait for those of their order that are not."""
    bad = next((c.row.number for c in cells if c.issues), group.rows[0].number)
    waits = Issue("", "order_incomplete", f"Waits for row {bad} of the same order: mend that one.")
    for place, c in zip(group.places, cells, strict=True):
        outcomes[place] = tuple(dict.fromkeys(c.issues)) or (waits,)


def _settle(outcomes: list[RowOutcome], group: Group, outcome: RowOutcome) -> None:
    for place in group.places:
        outcomes[place] = outcome


CHANGED = Issue(
    "order_id", "payload_changed",
    "This order is here and says something else; nothing was overwritten. Or its rows do not stand together here.",
)  # fmt: skip


def _sale_outcome(outcome: Outcome, group: Group) -> RowOutcome:
    match outcome:
        case OrderLanded():
            return LANDED
        case OrderRepeated():
            return REPEATED
        case OrderConflict():
            return (CHANGED,)
        case BuyerNotFound():
            column = next((c for c in ("member", "card", "phone", "email") if group.rows[0].values.get(c)), "member")
            return (Issue(column, "unknown_member", "Nobody here is known by this: import her first, or empty it."),)
        case StoreNotFound():
            return (Issue("store", "unknown_store", "No such store in this source: fill store_name to create it."),)
        case ProductsNotFound():
            return (Issue("product", "unknown_product", "Not in the catalogue: fill product_name to add it."),)
        case ValidationError(errors):
            return tuple(Issue("", "bad_value", error.message) for error in errors)


def _return_outcome(outcome: Landed) -> RowOutcome:
    match outcome:
        case ReturnRecorded():
            return LANDED if outcome.is_new else REPEATED
        case OrderNotFound():
            return (Issue("order_id", "unknown_order", "The sale is not here yet: import it, then this again."),)
        case ReturnConflict():
            return (Issue("return_id", "payload_changed", "This return is here and says something else."),)
        case ValidationError():
            return (Issue("returned_at", "before_sale", "Goods cannot come back before they were bought."),)
        case ReturnExceedsOrder():
            return (Issue("line_no", "return_exceeds", "More than was bought of this line and is not back yet."),)
