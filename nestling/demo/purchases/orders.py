"""Baskets as orders of the till: an order and its lines land together or not at all."""

import asyncpg
import pandas as pd

from domain.platform.ids import new_id
from nestling.demo.purchases.source import as_utc, payload_hashes
from nestling.demo.purchases.staging import added_rows, stage

INSERT_ORDERS = """
INSERT INTO orders (id, source, external_id, member_id, store_id, channel, ordered_at, currency, total, payload_hash)
SELECT s.id, 'completejourney', s.basket::text, m.id, t.id, 'POS', s.ordered_at, 'USD', s.cents / 100.0,
       s.payload_hash
FROM staged_orders s
JOIN members m ON m.source = 'completejourney' AND m.external_id = s.household::text
JOIN stores t ON t.source = 'completejourney' AND t.external_id = s.store::text
ORDER BY s.id
ON CONFLICT (source, external_id) DO NOTHING
RETURNING id, external_id
"""

INSERT_LINES = """
INSERT INTO order_lines (order_id, line_no, product_id, quantity, amount, discount)
SELECT s.order_id, s.line_no, p.id, s.quantity, s.cents / 100.0, s.discount_cents / 100.0
FROM staged_lines s JOIN products p ON p.source = 'completejourney' AND p.external_id = s.product::text
ORDER BY s.order_id, s.line_no
"""


async def insert_orders(to: asyncpg.Connection, lines: pd.DataFrame) -> tuple[int, int]:
    """Orders of these lines that are not there yet, with their lines, in one transaction. Returns (orders, lines)."""
    baskets = lines.groupby("basket_id", sort=False).agg(
        household_id=("household_id", "first"),
        store_id=("store_id", "first"),
        at=("at", "first"),
        cents=("paid", "sum"),
    )
    hashes = payload_hashes(lines)
    records = [
        (new_id(), row.Index, row.household_id, row.store_id, as_utc(row.at), row.cents, hashes[row.Index])
        for row in baskets.itertuples()
    ]
    async with to.transaction():
        await stage(
            to, "staged_orders",
            "id uuid, basket int8, household int8, store int8, ordered_at timestamptz, cents int8, payload_hash text",
            records,
        )  # fmt: skip
        ids = {int(row["external_id"]): row["id"] for row in await to.fetch(INSERT_ORDERS)}
        new = lines[lines.basket_id.isin(ids.keys())] if len(ids) < len(baskets) else lines
        await stage(
            to, "staged_lines",
            "order_id uuid, line_no int4, product int8, quantity int8, cents int8, discount_cents int8",
            zip(
                new.basket_id.map(ids), new.line_no.tolist(), new.product_id.tolist(), new.quantity.tolist(),
                new.paid.tolist(), new.discount.tolist(), strict=True,
            ),
        )  # fmt: skip
        return len(ids), added_rows(await to.execute(INSERT_LINES))
