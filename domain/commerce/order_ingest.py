"""Orders in batches: resolve, insert, answer one outcome an order. A handful of statements whatever the size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.commerce.order_input import GivenOrder, order_flaws, parse_order
from domain.database import connection
from domain.people.identities import SHAREABLE, IdentityKind
from domain.people.tombstones import ANY_ISSUER, Named, buried
from domain.platform.changes import MEMBER_TIMELINE
from domain.platform.clock import business_now
from domain.platform.failures import ValidationError
from domain.platform.ids import new_id
from domain.sql import statement


@dataclass(frozen=True, slots=True)
class OrderLanded:
    order_id: UUID
    member_id: UUID | None


@dataclass(frozen=True, slots=True)
class OrderRepeated:
    """The same receipt again, word for word: the first one stands."""

    order_id: UUID
    member_id: UUID | None


@dataclass(frozen=True, slots=True)
class OrderConflict:
    """The key is taken by a receipt that says something else: nothing was overwritten, a person must look."""

    order_id: UUID


@dataclass(frozen=True, slots=True)
class BuyerNotFound:
    """The receipt names a buyer whom nobody here is known by."""


@dataclass(frozen=True, slots=True)
class StoreNotFound:
    """The receipt names a store that is not in the catalogue of its source."""


@dataclass(frozen=True, slots=True)
class ProductsNotFound:
    """These codes are not in the catalogue of the order's source."""

    products: tuple[str, ...]


Outcome = (
    OrderLanded | OrderRepeated | OrderConflict | BuyerNotFound | StoreNotFound | ProductsNotFound | ValidationError
)


async def ingest_orders(raw: Sequence[Mapping[str, Any]], *, phone_region: str, currency: str) -> list[Outcome]:
    """Parse a batch of parsed JSON and land what is right, in one transaction; one outcome an order, in order.

    Idempotent on (source, external id). Meant for 500 to 2,000 orders a call; listeners hear of each member.
    """
    now = await business_now()
    parsed = [parse_order(one, phone_region=phone_region, currency=currency) for one in raw]
    outcomes: list[Outcome | None] = [None] * len(parsed)
    right: list[tuple[int, GivenOrder]] = []
    for place, one in enumerate(parsed):
        flaws = one if isinstance(one, list) else order_flaws(one, now)
        if flaws or isinstance(one, list):
            outcomes[place] = ValidationError(tuple(flaws))
        else:
            right.append((place, one))
    async with in_transaction():
        landed = await land_orders([order for _, order in right])
        await _announce({o.member_id for o in landed if isinstance(o, OrderLanded) and o.member_id})
    for (place, _), outcome in zip(right, landed, strict=True):
        outcomes[place] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


async def _announce(members: set[UUID]) -> None:
    await connection().execute_query(
        "SELECT pg_notify($1, m) FROM unnest($2::text[]) AS m", [MEMBER_TIMELINE, [str(m) for m in members]]
    )


async def land_orders(orders: Sequence[GivenOrder]) -> list[Outcome]:
    """Insert checked orders with their lines inside the caller's transaction; one outcome an order, in order.

    Of two transactions with the same key one inserts; the other sees it and answers OrderRepeated or OrderConflict.
    """
    known = await _resolve(orders)
    gone = await _gone(orders, known)
    products = await _products(orders)
    outcomes: list[Outcome | None] = []
    new: dict[tuple[str, str], tuple[int, UUID, UUID | None, UUID | None]] = {}
    for place, (order, row) in enumerate(zip(orders, known, strict=True)):
        key = (order.source, order.external_id)
        outcome = _verdict(order, row, products, is_of_nobody=place in gone)
        if outcome is None and key in new:  # twice in one batch: the first is the receipt
            first = orders[new[key][0]]
            same = first.payload_hash == order.payload_hash
            first_id, buyer = new[key][1], known[new[key][0]]["member_id"]
            outcome = OrderRepeated(first_id, buyer) if same else OrderConflict(first_id)
        elif outcome is None:
            new[key] = (place, new_id(), row["arrived_as"], row["store_id"])
        outcomes.append(outcome)
    inserted = await _insert(orders, new, products)
    for place, order_id, _, _ in new.values():
        outcomes[place] = OrderLanded(order_id, known[place]["member_id"]) if order_id in inserted else None
    await _settle_races(orders, outcomes)
    return [outcome for outcome in outcomes if outcome is not None]


async def _resolve(orders: Sequence[GivenOrder]) -> list[dict[str, Any]]:
    return await connection().execute_query_dict(
        statement("resolve_orders"),
        [
            [o.source for o in orders], [o.external_id for o in orders],
            [o.buyer.kind.value if o.buyer else None for o in orders],
            [o.buyer.value if o.buyer else None for o in orders],
            array(o.member_id for o in orders), [o.store for o in orders], array(o.store_id for o in orders),
        ],
    )  # fmt: skip


async def _gone(orders: Sequence[GivenOrder], known: Sequence[dict[str, Any]]) -> set[int]:
    """Places of orders whose buyer was erased: tills and files go on naming her; each is a sale to nobody."""
    named = {
        place: Named(o.buyer.kind, o.buyer.value, o.source if o.buyer.kind is IdentityKind.EXTERNAL_ID else "")
        if o.buyer.kind in (IdentityKind.EXTERNAL_ID, *SHAREABLE)
        else Named(o.buyer.kind, o.buyer.value, ANY_ISSUER)
        for place, (o, row) in enumerate(zip(orders, known, strict=True))
        if o.buyer is not None and row["member_id"] is None and row["order_id"] is None
    }
    found = await buried(named.values())
    return {place for place, name in named.items() if name in found}


Products = dict[tuple[str, str | UUID], UUID]


async def _products(orders: Sequence[GivenOrder]) -> Products:
    """Ids of the products that the lines name, by (source, code) and by ("", id)."""
    codes = sorted({(o.source, line.product) for o in orders for line in o.lines if line.product_id is None})
    ids = sorted({line.product_id for o in orders for line in o.lines if line.product_id is not None})
    found: Products = {}
    if codes:
        rows = await connection().execute_query_dict(
            "SELECT p.source, p.external_id, p.id FROM unnest($1::text[], $2::text[]) AS g (source, code) "
            "JOIN products p ON p.source = g.source AND p.external_id = g.code",
            [[source for source, _ in codes], [code for _, code in codes]],
        )
        found |= {(row["source"], row["external_id"]): row["id"] for row in rows}
    if ids:
        rows = await connection().execute_query_dict("SELECT id FROM products WHERE id = ANY($1::uuid[])", [ids])
        found |= {("", row["id"]): row["id"] for row in rows}
    return found


def _verdict(order: GivenOrder, row: dict[str, Any], products: Products, *, is_of_nobody: bool) -> Outcome | None:
    """What already stands or stands in the way; None when the order may land."""
    if row["order_id"] is not None:
        if row["payload_hash"] == order.payload_hash:
            return OrderRepeated(row["order_id"], row["member_id"])
        return OrderConflict(row["order_id"])
    if row["member_id"] is None and (order.buyer is not None or order.member_id is not None) and not is_of_nobody:
        return BuyerNotFound()
    if row["store_id"] is None and (order.store is not None or order.store_id is not None):
        return StoreNotFound()
    unknown = [
        line.product or str(line.product_id)
        for line in order.lines
        if (("", line.product_id) if line.product_id else (order.source, line.product)) not in products
    ]
    return ProductsNotFound(tuple(dict.fromkeys(unknown))) if unknown else None


INSERT_ORDERS = """
INSERT INTO orders (id, source, external_id, member_id, store_id, served_by_id, channel, ordered_at, currency, total,
                    payload_hash)
SELECT * FROM unnest($1::text::uuid[], $2::text[], $3::text[], $4::text::uuid[], $5::text::uuid[], $6::text::uuid[],
                     $7::text[], $8::text::timestamptz[], $9::text[], $10::text::numeric[], $11::text[])
ON CONFLICT (source, external_id) DO NOTHING
RETURNING id
"""

INSERT_LINES = """
INSERT INTO order_lines (order_id, line_no, product_id, quantity, amount, discount)
SELECT * FROM unnest($1::text::uuid[], $2::text::int[], $3::text::uuid[], $4::text::numeric[], $5::text::numeric[],
                     $6::text::numeric[])
"""


def array(values: Iterable[object]) -> str:
    """An array's text for PostgreSQL, of numbers, ids, times or None: the driver looks at every element of a list."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


async def _insert(
    orders: Sequence[GivenOrder],
    new: dict[tuple[str, str], tuple[int, UUID, UUID | None, UUID | None]],
    products: Products,
) -> set[UUID]:
    """Insert in the order of their keys, so that two batches wait for each other instead of deadlocking."""
    rows = [(orders[place], order_id, member, store) for _, (place, order_id, member, store) in sorted(new.items())]
    if not rows:
        return set()
    columns = [
        array(order_id for _, order_id, _, _ in rows), [o.source for o, *_ in rows],
        [o.external_id for o, *_ in rows], array(member for *_, member, _ in rows), array(store for *_, store in rows),
        array(o.served_by_id for o, *_ in rows), [o.channel.value for o, *_ in rows],
        array(o.ordered_at.isoformat() for o, *_ in rows), [o.currency for o, *_ in rows],
        array(o.total for o, *_ in rows), [o.payload_hash for o, *_ in rows],
    ]  # fmt: skip
    inserted = {row["id"] for row in await connection().execute_query_dict(INSERT_ORDERS, columns)}
    lines = [
        (str(order_id), number, products["", line.product_id] if line.product_id else products[o.source, line.product],
         line.quantity, line.amount, line.discount)
        for o, order_id, _, _ in rows if order_id in inserted
        for number, line in enumerate(o.lines, 1)
    ]  # fmt: skip
    if lines:
        await connection().execute_query(INSERT_LINES, [array(column) for column in zip(*lines, strict=True)])
    return inserted


async def _settle_races(orders: Sequence[GivenOrder], outcomes: list[Outcome | None]) -> None:
    """Whoever lost the race for a key reads what the winner wrote."""
    lost = [place for place, outcome in enumerate(outcomes) if outcome is None]
    if not lost:
        return
    for place, row in zip(lost, await _resolve([orders[place] for place in lost]), strict=True):
        is_same = row["payload_hash"] == orders[place].payload_hash
        outcomes[place] = (
            OrderRepeated(row["order_id"], row["member_id"]) if is_same else OrderConflict(row["order_id"])
        )
