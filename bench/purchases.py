"""What the world's members did, a chunk at a time: orders with their lines, and interactions."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.catalogue import PRODUCTS, Catalogue
from bench.columns import (
    MILLISECONDS_A_DAY,
    Ints,
    chosen,
    fixed_text,
    hex_text,
    moments,
    money,
    numbered,
    same,
    uuid_text,
    uuids,
)
from bench.people import Carers
from bench.spec import NOW_MS, SOURCE, Batch, Spec

OLDEST_ORDER_DAYS = 365
GONE = 0.35
"""Share of members who stopped buying on some day since they joined."""
MORE_LINES = 0.8
"""Mean number of lines beyond the first."""
INTERACTIONS_A_MEMBER = 1.5
TOPICS: list[str | None] = ["feeding", "sleep", "delivery", "returns", "class", "greeting"]


def purchases(spec: Spec, shared: Catalogue, carers: Carers, chunk: int) -> list[Batch]:
    """The chunk's orders and lines. Same spec and chunk, same rows."""
    rng = spec.rng(2, chunk)
    rows = spec.orders_of(chunk)
    if not rows:
        return []
    who, at_ms = _when(carers, rows, rng)
    lines = 1 + rng.poisson(MORE_LINES, size=rows)
    order_ids = uuids(at_ms, rng)
    order = np.repeat(np.arange(rows), lines)
    # A few products make most of the sales, as everywhere.
    product = np.minimum((PRODUCTS * rng.random(len(order)) ** 2.5).astype(np.int64), PRODUCTS - 1)
    quantity = 1 + rng.poisson(0.3, size=len(order))
    cents = shared.product_cents[product] * quantity
    off = np.where(rng.random(len(order)) < 0.15, cents // 5, 0)
    first_line = np.cumsum(lines) - lines
    return [
        Batch(
            "orders",
            {
                "id": uuid_text(order_ids),
                "source": same(SOURCE, rows),
                "external_id": numbered(f"o{chunk:05d}-", np.arange(rows), 8),
                "member_id": uuid_text(carers.ids[who]),
                "store_id": uuid_text(shared.store_ids[carers.store[who]]),
                "served_by_id": uuid_text(shared.staff_ids[carers.staff[who]], rng.random(rows) < 0.5),
                "channel": chosen(
                    ["POS", "MALL", "MINI_PROGRAM", "MARKETPLACE"], rng.choice(4, size=rows, p=[0.7, 0.15, 0.1, 0.05])
                ),
                "ordered_at": moments(at_ms),
                "received_at": moments(at_ms),
                "currency": same("USD", rows),
                "total": money(np.add.reduceat(cents - off, first_line)),
                # Not the hash of anything that was sent: these orders never came through the door.
                "payload_hash": fixed_text(hex_text(rng.integers(0, 256, size=(rows, 32), dtype=np.uint8))),
            },
        ),
        Batch(
            "order_lines",
            {
                "order_id": uuid_text(order_ids[order]),
                "line_no": pa.array(np.arange(len(order)) - first_line[order] + 1),
                "product_id": uuid_text(shared.product_ids[product]),
                "quantity": pa.array(quantity),
                "amount": money(cents - off),
                "discount": money(off),
            },
        ),
    ]


def _when(carers: Carers, rows: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Who bought and when, by time: some buy far more than others, and some have gone."""
    eager = rng.gamma(0.8, size=len(carers.ids)) + 1e-6
    since = np.maximum(carers.joined_ms, NOW_MS - OLDEST_ORDER_DAYS * MILLISECONDS_A_DAY)
    until: npt.NDArray[np.int64] = np.where(
        rng.random(len(carers.ids)) < GONE,
        since + ((NOW_MS - since) * rng.random(len(carers.ids))).astype(np.int64),
        NOW_MS,
    )
    who = np.repeat(np.arange(len(carers.ids)), rng.multinomial(rows, eager / eager.sum()))
    at_ms = since[who] + ((until[who] - since[who]) * rng.random(rows)).astype(np.int64)
    by_time = np.argsort(at_ms, kind="stable")
    return who[by_time], at_ms[by_time]


def interactions(spec: Spec, shared: Catalogue, carers: Carers, chunk: int) -> Batch:
    """The chunk's words with members. Same spec and chunk, same rows."""
    rng = spec.rng(3, chunk)
    who = np.repeat(np.arange(len(carers.ids)), rng.poisson(INTERACTIONS_A_MEMBER, size=len(carers.ids)))
    rows = len(who)
    at_ms = carers.joined_ms[who] + ((NOW_MS - carers.joined_ms[who]) * rng.random(rows)).astype(np.int64)
    kind = rng.integers(0, 4, size=rows)
    return Batch(
        "interactions",
        {
            "id": uuid_text(uuids(at_ms, rng)),
            "member_id": uuid_text(carers.ids[who]),
            "kind": chosen(["VISIT", "CALL", "CHAT", "QUESTION"], kind),
            "channel": chosen(["STORE", "CALL", "WECHAT", "WECHAT"], kind),
            "direction": chosen(["INBOUND", "OUTBOUND", "INBOUND", "INBOUND"], kind),
            "occurred_at": moments(at_ms),
            "recorded_at": moments(at_ms),
            "topic": chosen(TOPICS, rng.integers(0, len(TOPICS), size=rows)),
            "note": same("Synthetic: nothing was said.", rows),
            "staff_id": uuid_text(shared.staff_ids[carers.staff[who]]),
            "store_id": uuid_text(shared.store_ids[carers.store[who]]),
            "source": same(SOURCE, rows),
            "external_id": numbered(f"i{chunk:05d}-", np.arange(rows), 8),
            "is_synthetic": same(value=True, rows=rows),
        },
    )
