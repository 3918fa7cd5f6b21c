"""Transactions that are cancelled or lose their connection: nothing leaks, and the next one starts afresh."""

import asyncio
import random
from threading import Thread

import asyncpg
import pytest
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.clock import ClockOffset
from domain.postgres import Client


def pool() -> asyncpg.Pool:
    client = connection()
    assert isinstance(client, Client)
    assert client._pool is not None
    return client._pool


async def _write() -> None:
    async with in_transaction() as transaction:
        await transaction.execute_query("SELECT 1")
        await ClockOffset.update_or_create(name="test", defaults={"offset_us": 1})


async def test_a_transaction_cancelled_at_any_moment_gives_its_connection_back(db: str) -> None:
    await _write()
    for _ in range(200):
        writing = asyncio.create_task(_write())
        for _ in range(random.randrange(12)):
            await asyncio.sleep(0)
        await asyncio.sleep(random.uniform(0, 0.001))
        writing.cancel()
        await asyncio.wait([writing], timeout=5)
        assert writing.done()
    async with asyncio.timeout(5):  # the pool resets what it is given back behind the back of whoever was cancelled
        while pool().get_size() != pool().get_idle_size():  # noqa: ASYNC110 - the pool has no event for it
            await asyncio.sleep(0.01)
    await _write()


async def test_a_begin_that_fails_leaves_nothing_of_its_transaction(db: str) -> None:
    """The same task goes on: what it does next must not be a savepoint on the dead connection."""
    await _write()
    blocking = Thread(target=lambda: asyncio.run(_cut_everybody(db)))
    blocking.start()
    blocking.join(10)  # the loop stands still meanwhile: the pool has not heard
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await _write()
    assert isinstance(connection(), Client)
    assert pool().get_idle_size() == pool().get_size()
    await _write()


async def _cut_everybody(url: str) -> None:
    admin = await asyncpg.connect(url)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await admin.fetch(f"SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE {others}")
    await admin.close()
