"""stages_asof: the stage of every baby as of a day against count(*) of the same table.

A million babies of all ages in the world's households, a tenth of them preterm. Ours reads each row's dates by the
plan of that day and counts the babies of each stage; the floor only counts the rows.
"""

import time
from datetime import timedelta

import asyncpg

from bench.databases import connected
from bench.harness import Bench, Reading, Result, compare
from bench.spec import CLOCK, Spec
from bench.world import world
from domain.platform.parameters import Parameters
from domain.stages.asof import stage_sql
from domain.stages.engine import BabyDates, read
from domain.stages.rules import AgeBasis

BABIES = 1_000_000
TURNS = 5  # statements a turn
CHECKED = 20_000  # rows that the pure engine reads too
BORN_BACK, DUE_AHEAD = 3_000, 280  # days
# A day from the past to the latest due date: born ones have a birth date, expected ones a due date.
MORE = f"""
INSERT INTO babies (id, household_id, due_on, due_source, born_on, born_source, gestation_weeks, presence_source)
SELECT gen_random_uuid(), h.id, CASE WHEN day > $1 THEN day END, CASE WHEN day > $1 THEN 'SYNTHETIC' END,
    CASE WHEN day <= $1 THEN day END, CASE WHEN day <= $1 THEN 'SYNTHETIC' END,
    CASE WHEN day <= $1 AND random() < 0.1 THEN 26 + floor(random() * 11)::int END, 'SYNTHETIC'
FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM households) h
JOIN (
    SELECT n, $1::date + {DUE_AHEAD} - floor(random() * {BORN_BACK + DUE_AHEAD})::int AS day
    FROM generate_series(1, {BABIES} - (SELECT count(*) FROM babies)) n
) made ON made.n % (SELECT count(*) FROM households) = h.place
"""


async def stages(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """The bench. Raises when a stage is not the one that the engine reads."""
    on = CLOCK.date()
    async with world(server_url, spec, "nestling_bench_stages") as database, connected(database) as connection:
        await connection.execute("SELECT setseed(0.5)")
        await connection.execute(MORE, on)
        await connection.execute("VACUUM (ANALYZE) babies")
        parameters = Parameters()
        both = [
            stage_sql(lambda value, kind: f"{parameters(value)}::{kind}", "b", on, basis)
            for basis in (AgeBasis.CHRONOLOGICAL, AgeBasis.CORRECTED)
        ]
        await _agree(connection, both, parameters)
        counts = Parameters()
        stage = stage_sql(lambda value, kind: f"{counts(value)}::{kind}", "b", on)
        counted = f"SELECT {stage} AS stage, count(*) FROM babies b GROUP BY 1"

        async def ours() -> Reading:
            started = time.perf_counter()
            for _ in range(TURNS):
                rows = await connection.fetch(counted, *counts)
            took = time.perf_counter() - started
            assert sum(row["count"] for row in rows) == BABIES
            return Reading(1000 * took / TURNS)

        async def floor() -> Reading:
            started = time.perf_counter()
            for _ in range(TURNS):
                babies = await connection.fetchval("SELECT count(*) FROM babies")
            took = time.perf_counter() - started
            assert babies == BABIES
            return Reading(1000 * took / TURNS)

        size = f"{BABIES:,} babies read as of a day and counted by stage, against count(*) of them"
        return [await compare(Bench("stages_asof", "ms", 6, size, better="lower"), ours, floor, rounds=rounds)]


async def _agree(connection: asyncpg.Connection, both: list[str], parameters: Parameters) -> None:
    """Every stage of some rows is the engine's."""
    rows = await connection.fetch(
        f"SELECT born_on, due_on, gestation_weeks, {both[0]} AS stage, {both[1]} AS care_stage "
        f"FROM babies b ORDER BY id LIMIT {CHECKED}",
        *parameters,
    )
    on = CLOCK.date()
    assert len(rows) == CHECKED
    assert {row["born_on"] > on - timedelta(days=60) for row in rows if row["born_on"]} == {True, False}
    for row in rows:
        reading = read(BabyDates(row["born_on"], row["due_on"], row["gestation_weeks"]), on)
        assert (row["stage"], row["care_stage"]) == (reading.stage, reading.care_stage), dict(row)
