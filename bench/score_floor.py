"""The floor of the score bench, run in a child process as the scoring job is: COPY out, predict, COPY in, no thought.

It reads the columns that features need in binary, predicts as many rows with the model that ours had chosen, on noise,
and puts ready rows in: no features, no training, no judging, no reasons.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from workers.scoring.job import NICENESS

ORDERS = "SELECT id, member_id, ordered_at, total::float8 FROM orders WHERE member_id IS NOT NULL"
LINES = "SELECT order_id, product_id, quantity::float8, amount::float8 FROM order_lines"
COLUMNS = "member_id, model_name, category, probability, rank, reasons, model_id, as_of"
THREADS = 2


@dataclass(frozen=True, slots=True)
class FloorOrder:
    database: str
    rows: Path  # what ours wrote, as binary COPY
    predicted: dict[str, int]  # model -> rows that it said something of


def work(order: FloorOrder) -> None:
    """The child's whole life."""
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.nice(NICENESS)
    asyncio.run(_work(order))


async def _work(order: FloorOrder) -> None:
    import asyncpg
    import lightgbm
    import numpy as np

    connection = await asyncpg.connect(order.database, server_settings={"timezone": "UTC", "jit": "off"})
    try:
        order_row = [
            ("count", ">i2"),
            *_field("id", "V16"),
            *_field("member", "V16"),
            *_field("at", ">i8"),
            *_field("total", ">f8"),
        ]
        line_row = [
            ("count", ">i2"),
            *_field("order", "V16"),
            *_field("product", "V16"),
            *_field("n", ">f8"),
            *_field("paid", ">f8"),
        ]
        for statement, row in ((ORDERS, order_row), (LINES, line_row)):
            text = bytearray()

            async def keep(part: bytes, text: bytearray = text) -> None:
                text.extend(part)

            await connection.copy_from_query(statement, output=keep, format="binary")
            rows = np.frombuffer(text, dtype=np.dtype(row), offset=19, count=(len(text) - 21) // np.dtype(row).itemsize)
            assert rows.size
        for name, count in order.predicted.items():
            model = await connection.fetchrow(
                "SELECT family, artifact FROM scoring_models WHERE name = $1 AND state = 'CHAMPION'", name
            )
            if model["family"] == "lightgbm" and count:
                booster = lightgbm.Booster(model_str=model["artifact"])
                noise = np.random.default_rng(1).random((count, booster.num_feature()), dtype=np.float32)
                booster.predict(noise, num_threads=THREADS)
        async with connection.transaction():
            await connection.execute("DELETE FROM scores")
            await connection.copy_to_table("scores", source=order.rows, columns=COLUMNS.split(", "), format="binary")
    finally:
        await connection.close()


def _field(name: str, kind: str) -> list[tuple[str, str]]:
    """A column of binary COPY: its length, then its value."""
    return [(f"{name}_length", ">i4"), (name, kind)]
