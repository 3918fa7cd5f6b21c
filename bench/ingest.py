"""ingest: orders as JSON into the tables by the batch verb, against raw COPY of the same rows into the same tables.

Ours: JSON text, parsed and checked, buyers, stores and products resolved, receipts that came before recognised, orders
and lines inserted, listeners told; a transaction a batch, one connection. The floor is given everything: rows resolved
and written out as CSV beforehand, COPY into both tables, a transaction a batch.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import orjson
import pyarrow as pa
from pyarrow import csv
from tortoise import Tortoise

from bench.databases import connected
from bench.harness import Bench, Result, Round, compare
from bench.spec import CLOCK, SOURCE, Spec
from bench.world import world
from domain.commerce.order_ingest import OrderLanded, ingest_orders
from domain.commerce.order_input import GivenOrder, parse_order
from domain.database import tortoise_config
from domain.platform.ids import new_id

BATCH = 1_000
BATCHES = 20
"""Batches in a turn."""
REGION, CURRENCY = "US", "USD"
ORDER_COLUMNS = [
    "id", "source", "external_id", "member_id", "store_id", "channel", "ordered_at", "currency", "total",
    "payload_hash",
]  # fmt: skip
LINE_COLUMNS = ["order_id", "line_no", "product_id", "quantity", "amount", "discount"]
SAME = """
WITH told AS (
    SELECT substr(o.external_id, 4) AS receipt, o.member_id, o.store_id, o.channel, o.ordered_at, o.currency, o.total,
           o.payload_hash, l.line_no, l.product_id, l.quantity, l.amount, l.discount, left(o.external_id, 3) AS side
    FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.source = 'bench' AND o.external_id ~ '^(in|cp)-'
), apart AS (
    (SELECT {columns} FROM told WHERE side = 'in-' EXCEPT SELECT {columns} FROM told WHERE side = 'cp-')
    UNION ALL
    (SELECT {columns} FROM told WHERE side = 'cp-' EXCEPT SELECT {columns} FROM told WHERE side = 'in-')
)
SELECT (SELECT count(*) FROM apart) AS different, (SELECT count(*) FROM told WHERE side = 'in-') AS lines
""".format(
    columns="receipt, member_id, store_id, channel, ordered_at, currency, total, payload_hash, line_no, product_id, "
    "quantity, amount, discount"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the world's rows are called outside and inside."""

    cards: list[tuple[str, UUID]]
    stores: list[tuple[str, UUID]]
    products: list[tuple[str, UUID]]


@dataclass(frozen=True, slots=True)
class Batch:
    """The same orders for both sides."""

    text: bytes  # JSON, as a till sends them
    orders: bytes  # CSV, as COPY wants them
    lines: bytes


async def ingest(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """The bench on one world. Raises when the two sides did not write the same."""
    async with world(server_url, spec, "nestling_bench_ingest") as database, connected(database) as connection:
        await Tortoise.init(config=tortoise_config(database), _enable_global_fallback=True)
        try:
            known = await _known(connection)
            turns = [list(_batches(known, turn)) for turn in range(rounds + 1)]
            mine, theirs = iter(turns), iter(turns)

            async def ours() -> Round:
                return await _ingest(next(mine))

            async def floor() -> Round:
                return await _copy(connection, next(theirs))

            size = f"{BATCHES} batches of {BATCH:,} orders a turn onto {spec.orders:,}"
            result = await compare(Bench("ingest", "orders/s", 0.35, size), ours, floor, rounds=rounds)
            different, lines = await connection.fetchrow(SAME)
            assert lines, "nothing was written"
            assert different == 0, f"{different} of {lines} lines differ"
            return [result]
        finally:
            await Tortoise.close_connections()


async def _ingest(batches: list[Batch]) -> Round:
    started, cpu = time.perf_counter(), time.process_time()
    landed = 0
    for batch in batches:
        outcomes = await ingest_orders(orjson.loads(batch.text), phone_region=REGION, currency=CURRENCY)
        landed += sum(isinstance(outcome, OrderLanded) for outcome in outcomes)
    turn = Round(landed, time.perf_counter() - started, time.process_time() - cpu)
    assert landed == BATCH * len(batches), f"only {landed} orders landed"
    return turn


async def _copy(connection: asyncpg.Connection, batches: list[Batch]) -> Round:
    started, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        async with connection.transaction():
            for table, columns, text in (
                ("orders", ORDER_COLUMNS, batch.orders),
                ("order_lines", LINE_COLUMNS, batch.lines),
            ):
                await connection.copy_to_table(table, source=io.BytesIO(text), columns=columns, format="csv")
    return Round(BATCH * len(batches), time.perf_counter() - started, time.process_time() - cpu)


async def _known(connection: asyncpg.Connection) -> Known:
    cards = await connection.fetch(
        "SELECT value, member_id FROM identities WHERE kind = 'CARD' ORDER BY value LIMIT 50000"
    )
    stores = await connection.fetch("SELECT external_id, id FROM stores ORDER BY 1")
    products = await connection.fetch("SELECT external_id, id FROM products ORDER BY 1")
    return Known([tuple(row) for row in cards], [tuple(row) for row in stores], [tuple(row) for row in products])


def _batches(known: Known, turn: int) -> Iterator[Batch]:
    rng = np.random.default_rng([turn, 4])
    for number in range(BATCHES):
        raw = [_order(known, rng, f"{turn}-{number}-{place}") for place in range(BATCH)]
        yield Batch(
            orjson.dumps([{**one, "external_id": f"in-{one['external_id']}"} for one in raw]), *_rows(known, raw)
        )


def _order(known: Known, rng: np.random.Generator, external_id: str) -> dict[str, Any]:
    at = CLOCK - timedelta(seconds=int(rng.integers(60, 86_400)))
    lines = [
        {
            "product": known.products[rng.integers(0, len(known.products))][0],
            "quantity": str(rng.integers(1, 4)),
            "amount": f"{rng.integers(99, 4_000) / 100:.2f}",
            "discount": "0.00",
        }
        for _ in range(1 + rng.poisson(0.8))
    ]
    return {
        "source": SOURCE,
        "external_id": external_id,
        "ordered_at": at.isoformat(),
        "channel": "POS",
        "currency": CURRENCY,
        "store": known.stores[rng.integers(0, len(known.stores))][0],
        "member": {"card": known.cards[rng.integers(0, len(known.cards))][0]},
        "lines": lines,
    }


def _rows(known: Known, raw: list[dict[str, Any]]) -> tuple[bytes, bytes]:
    """The rows that the orders become, as CSV of both tables."""
    cards, stores, products = dict(known.cards), dict(known.stores), dict(known.products)
    orders: list[tuple[str, ...]] = []
    lines: list[tuple[str, ...]] = []
    for one in raw:
        given = parse_order(one, phone_region=REGION, currency=CURRENCY)
        assert isinstance(given, GivenOrder)
        order_id = str(new_id())
        orders.append(
            (
                order_id, SOURCE, f"cp-{one['external_id']}", str(cards[one["member"]["card"]]),
                str(stores[one["store"]]), "POS", one["ordered_at"], CURRENCY, str(given.total), given.payload_hash,
            )
        )  # fmt: skip
        lines += [
            (order_id, str(at), str(products[line.product]), str(line.quantity), str(line.amount), str(line.discount))
            for at, line in enumerate(given.lines, 1)
        ]
    return _csv(ORDER_COLUMNS, orders), _csv(LINE_COLUMNS, lines)


def _csv(columns: list[str], rows: list[tuple[str, ...]]) -> bytes:
    text = io.BytesIO()
    table = pa.table(dict(zip(columns, (list(column) for column in zip(*rows, strict=True)), strict=True)))
    csv.write_csv(table, text, csv.WriteOptions(include_header=False))
    return text.getvalue()
