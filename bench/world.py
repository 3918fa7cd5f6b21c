"""A world of households to measure on: `python bench/world.py --members 1000000 --orders 6000000 --seed 1`.

The same members, orders and seed give the same rows, and are made once: the world is kept as a template database, named
after its spec, the schema and this generator, and every bench works on a clone. Synthetic through and through.
"""

import argparse
import asyncio
import io
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pyarrow as pa
from pyarrow import csv

from bench.catalogue import catalogue
from bench.databases import (
    Definitions,
    administrator,
    catalogue_of,
    clone,
    connected,
    digest,
    drop,
    named,
    schema_hash,
    strip,
)
from bench.people import people
from bench.purchases import interactions, purchases
from bench.servers import server
from bench.spec import CLOCK, Batch, Spec
from nestling.migrations import migrate

HERE = Path(__file__).resolve().parent
GENERATOR = ["catalogue", "columns", "names", "people", "purchases", "spec", "world"]
TABLES = [
    "distributors", "stores", "staff", "products", "tags", "scoring_models", "households", "members", "babies",
    "identities", "member_tags", "consents", "consents_in_force", "scores", "orders", "order_lines", "interactions",
]  # fmt: skip
IN_FORCE = """
INSERT INTO consents_in_force (member_id, purpose, channel, baby_id, state, given_at, consent_id)
SELECT DISTINCT ON (member_id, purpose, channel, baby_id) member_id, purpose, channel, baby_id, state, given_at, id
FROM consents ORDER BY member_id, purpose, channel, baby_id, given_at DESC, id DESC
"""
INDEX_BUILDERS = 2
"""Connections that build indexes side by side."""


def batches(spec: Spec) -> Iterator[Batch]:
    """Every row of the world, table by table within a chunk of members. Memory is bounded by the chunk."""
    shared = catalogue(spec)
    yield from shared.batches
    for chunk in range(spec.chunks):
        carers, rows = people(spec, shared, chunk)
        yield from rows
        yield from purchases(spec, shared, carers, chunk)
        yield interactions(spec, shared, carers, chunk)


def template_name(spec: Spec) -> str:
    """The world's database: other rows or another schema, another name."""
    generator = digest([HERE / f"{module}.py" for module in GENERATOR])
    return f"{_family(spec)}_{schema_hash()}_{generator}"


def _family(spec: Spec) -> str:
    return f"nestling_world_{spec.members}_{spec.orders}_{spec.seed}"


async def make_world(server_url: str, spec: Spec, migrated: str | None = None) -> str:
    """The name of the world's template on the server, made when it is not there. A half-made one is made again.

    `migrated` names an empty database with this code's migrations that nobody is using, and saves running them.
    """
    name = template_name(spec)
    async with administrator(server_url, _family(spec)) as admin:
        if await admin.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name):
            return name
        for stale in await admin.fetch(
            "SELECT datname FROM pg_database WHERE datname LIKE $1 AND datname <> $2",
            _family(spec).replace("_", r"\_") + r"\_%",
            name,
        ):
            await drop(admin, stale["datname"])
        await drop(admin, name)
        await admin.execute(
            f"CREATE DATABASE \"{name}\" TEMPLATE \"{migrated or 'template0'}\" LOCALE 'C' ENCODING 'UTF8'"
        )
        if migrated is None:
            await migrate(named(server_url, name))
        await _fill(named(server_url, name), spec)
        await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE true')
    return name


async def _fill(url: str, spec: Spec) -> None:
    started = time.monotonic()
    async with connected(url) as connection:
        before = await catalogue_of(connection)
        async with connection.transaction():
            # No trigger fires: a world is loaded whole, and what triggers keep is made whole here. Member facts are the
            # work of a bench.
            await connection.execute("SET LOCAL session_replication_role = replica")
            definitions = await strip(connection, TABLES)
            await connection.execute(f"TRUNCATE {', '.join(TABLES)}")
            await _copy(connection, spec, started)
            await connection.execute(IN_FORCE)
        _say(started, "indexes and constraints")
        await _rebuild(url, connection, definitions)
        _say(started, "statistics")
        await connection.execute("VACUUM (ANALYZE)")
        changed = set(before) ^ set(await catalogue_of(connection))
        if changed:
            raise RuntimeError(f"loading changed the schema: {sorted(changed)}")
    _say(started, "done")


async def _copy(connection: asyncpg.Connection, spec: Spec, started: float) -> None:
    """COPY every batch while the next one is being made."""
    source = batches(spec)
    counts = dict.fromkeys(TABLES, 0)
    upcoming = asyncio.create_task(asyncio.to_thread(_next, source))
    said = time.monotonic()
    while (ready := await upcoming) is not None:
        upcoming = asyncio.create_task(asyncio.to_thread(_next, source))
        batch, text = ready
        await connection.copy_to_table(
            batch.table, source=text, columns=list(batch.columns), format="csv", null="", freeze=True
        )
        counts[batch.table] += batch.rows
        if time.monotonic() - said > 5:
            said = time.monotonic()
            _say(
                started, f"members {counts['members']:,}/{spec.members:,}, orders {counts['orders']:,}/{spec.orders:,}"
            )
    _say(started, "; ".join(f"{table} {rows:,}" for table, rows in counts.items()))


def _next(source: Iterator[Batch]) -> tuple[Batch, io.BytesIO] | None:
    batch = next(source, None)
    if batch is None:
        return None
    text = io.BytesIO()
    csv.write_csv(pa.table(batch.columns), text, csv.WriteOptions(include_header=False))
    text.seek(0)
    return batch, text


async def _rebuild(url: str, connection: asyncpg.Connection, definitions: Definitions) -> None:
    """Keys and indexes side by side, then references, which need the keys."""
    waiting = [*definitions.keys, *definitions.indexes]

    async def build() -> None:
        async with connected(url) as builder:
            await builder.execute("SET maintenance_work_mem = '512MB'")
            while waiting:
                await builder.execute(waiting.pop(0))

    await asyncio.gather(*(build() for _ in range(INDEX_BUILDERS)))
    for reference in definitions.references:
        await connection.execute(reference)


@asynccontextmanager
async def world(server_url: str, spec: Spec, name: str) -> AsyncIterator[str]:
    """The URL of a database of its own that holds the world, its business clock at `CLOCK`; dropped at the end."""
    template = await make_world(server_url, spec)
    async with clone(server_url, template, name) as url:
        async with connected(url) as connection:
            await connection.execute(
                "INSERT INTO clock_offsets (name, offset_us) VALUES ('business', $1)",
                (CLOCK - datetime.now(UTC)) // timedelta(microseconds=1),
            )
        yield url


def _say(started: float, what: str) -> None:
    print(f"world {time.monotonic() - started:6.1f} s  {what}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--orders", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    spec = Spec(chosen.members, chosen.orders, chosen.seed)
    with server() as url:
        name = asyncio.run(make_world(url, spec))
        print(named(url, name))


if __name__ == "__main__":
    main()
