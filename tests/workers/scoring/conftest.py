"""A small slice of the real purchases in a database of its own, loaded once for all scoring tests."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from nestling.demo.purchases import import_purchases
from nestling.migrations import migrate
from workers.scoring.history import History, load

HOUSEHOLDS = 120
AS_OF = date(2017, 12, 1)
UNTIL = datetime(2017, 12, 20, tzinfo=UTC)  # three weeks after AS_OF that nothing may see


async def _make(server: str, url: str, name: str) -> None:
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
    finally:
        await admin.close()
    await migrate(url)
    await import_purchases(url, until=UNTIL, households=HOUSEHOLDS)


async def _drop(server: str, name: str) -> None:
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def purchases_url(postgres_url: str) -> Iterator[str]:
    """HOUSEHOLDS real households with their orders before UNTIL; tests leave it as they found it."""
    name = f"nestling_scoring_{os.getpid()}_{secrets.token_hex(3)}"
    url = urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    try:
        asyncio.run(_make(postgres_url, url, name))
        yield url
    finally:
        asyncio.run(_drop(postgres_url, name))


@pytest.fixture(scope="session")
def history(purchases_url: str) -> History:
    return asyncio.run(_read(purchases_url))


async def _read(url: str) -> History:
    connection = await asyncpg.connect(url)
    try:
        return await load(connection, AS_OF, "UTC")
    finally:
        await connection.close()
