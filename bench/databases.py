"""Databases of the bench: worlds kept as templates, clones to measure on, and loading without indexes in the way."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from nestling import LAYERS

BENCH_LOCK = 0x6E65_7377
"""Advisory lock, with the name of what is made: one process makes it, the others wait for it."""


def named(url: str, database: str) -> str:
    """The same server's other database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def digest(paths: list[Path]) -> str:
    """Eight characters that change with any of the files."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(path.read_bytes())
    return whole.hexdigest()[:8]


def schema_hash() -> str:
    return digest(list((LAYERS / "migrations").glob("[0-9]*.py")))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, command_timeout=None)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def administrator(server_url: str, turn: str = "") -> AsyncIterator[asyncpg.Connection]:
    """A connection that may make and drop databases; of those with the same `turn` one at a time."""
    async with connected(named(server_url, "postgres")) as admin:
        if turn:
            await admin.execute("SELECT pg_advisory_lock($1, hashtext($2))", BENCH_LOCK, turn)
        yield admin


async def drop(admin: asyncpg.Connection, name: str) -> None:
    """Drop the database, template or not, whoever is connected. Nothing happens when there is none."""
    if await admin.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name):
        await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@asynccontextmanager
async def clone(server_url: str, template: str, name: str) -> AsyncIterator[str]:
    """The URL of a copy of the template, dropped at the end."""
    async with administrator(server_url) as admin:
        await drop(admin, name)
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    try:
        yield named(server_url, name)
    finally:
        async with administrator(server_url) as admin:
            await drop(admin, name)


@dataclass(frozen=True, slots=True)
class Definitions:
    """What was taken off the tables, in the order in which it goes back."""

    keys: list[str]
    indexes: list[str]
    references: list[str]


CONSTRAINTS = """
SELECT conrelid::regclass::text AS on_table, conname, contype::text, pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE contype IN ('p', 'u', 'f') AND (conrelid::regclass::text = ANY($1) OR confrelid::regclass::text = ANY($1))
ORDER BY contype = 'f' DESC, conname
"""

INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid::regclass::text = ANY($1)
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
ORDER BY 1
"""

CATALOGUE = """
SELECT conrelid::regclass::text AS on_table, pg_get_constraintdef(oid) AS definition, convalidated::text AS note
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT indrelid::regclass::text, indexrelid::regclass::text, indisvalid::text || indisunique::text || indnatts::text
FROM pg_index WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL
SELECT attrelid::regclass::text, attname::text, attnotnull::text
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
ORDER BY 1, 2, 3
"""


async def catalogue_of(connection: asyncpg.Connection) -> list[tuple[str, ...]]:
    """Every constraint, index and NOT NULL of the database, to compare."""
    return [tuple(row) for row in await connection.fetch(CATALOGUE)]


async def strip(connection: asyncpg.Connection, tables: list[str]) -> Definitions:
    """Take keys, indexes and references off the tables (checks stay), and say how to put them back."""
    constraints = await connection.fetch(CONSTRAINTS, tables)
    indexes = await connection.fetch(INDEXES, tables)
    back: dict[str, list[str]] = {"p": [], "u": [], "f": []}
    for row in constraints:
        back[row["contype"]].append(
            f'ALTER TABLE {row["on_table"]} ADD CONSTRAINT "{row["conname"]}" {row["definition"]}'
        )
        if row["contype"] == "f":
            await connection.execute(f'ALTER TABLE {row["on_table"]} DROP CONSTRAINT "{row["conname"]}"')
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['name']}")
    for row in constraints:
        if row["contype"] != "f":
            await connection.execute(f'ALTER TABLE {row["on_table"]} DROP CONSTRAINT "{row["conname"]}"')
    return Definitions([*back["p"], *back["u"]], [row["definition"] for row in indexes], back["f"])
