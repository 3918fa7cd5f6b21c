"""score: features, training, judging, prediction, reasons and writing for every member, against moving the bytes.

Both sides are a child process with the same niceness, timed from its start to its end, imports included. Ours trains
anew in every turn; the floor (`bench/score_floor.py`) copies out what features need, predicts with our models and
copies the scores in.
"""

import asyncio
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.databases import connected
from bench.harness import Bench, Result, Round, compare
from bench.score_floor import COLUMNS, FloorOrder, work
from bench.spec import CLOCK, Spec
from bench.world import world
from workers.scoring.job import run

FINGERPRINT = f"SELECT count(*), sum(('x' || left(md5(({COLUMNS})::text), 8))::bit(32)::bigint) FROM scores"


@dataclass(frozen=True, slots=True)
class Config:
    """What the scoring job wants to be told."""

    database_url: str
    time_zone: str = "UTC"


async def score(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """The bench on one world. Raises when the sides do not leave the same scores."""
    async with world(server_url, spec, "nestling_bench_score") as database, connected(database) as connection:
        with tempfile.TemporaryDirectory(prefix="nestling-bench-") as folder:
            kept = Path(folder) / "scores"
            predicted: dict[str, int] = {}

            async def ours() -> Round:
                await _forget(connection)
                started = time.perf_counter()
                report = await run(Config(database), CLOCK.date())
                turn = Round(spec.members, time.perf_counter() - started)
                predicted.update({model.name: model.written for model in report.models})
                await connection.copy_from_query(
                    f"SELECT {COLUMNS} FROM scores ORDER BY id", output=kept, format="binary"
                )
                return turn

            async def floor() -> Round:
                if not predicted:
                    await ours()
                wanted = await connection.fetchrow(FINGERPRINT)
                turn = await _floor(FloorOrder(database, kept, dict(predicted)), spec.members)
                left = await connection.fetchrow(FINGERPRINT)
                assert left == wanted, f"the floor left {left}, ours {wanted}"
                return turn

            size = f"{spec.members:,} members, {spec.orders:,} orders"
            return [await compare(Bench("score", "members/s", 0.33, size), ours, floor, rounds=rounds)]


async def _forget(connection: asyncpg.Connection) -> None:
    """Nothing scored, nothing trained: a turn may not use what an earlier one made."""
    await connection.execute("DELETE FROM scores")
    await connection.execute("DELETE FROM scoring_models")


async def _floor(order: FloorOrder, members: int) -> Round:
    child = multiprocessing.get_context("spawn").Process(target=work, args=(order,), daemon=True)
    started = time.perf_counter()
    child.start()
    await asyncio.to_thread(child.join)
    seconds = time.perf_counter() - started
    assert child.exitcode == 0, f"the floor ended with {child.exitcode}"
    return Round(members, seconds)
