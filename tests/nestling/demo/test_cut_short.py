"""A first run of the demo that is killed while it feeds purchases: the next one makes the very same of it."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from tests.nestling.commands import nestling
from tests.workers.stage import process

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
PREPARE = ("demo", "prepare", "--households", "40")


@pytest_asyncio.fixture
async def clones(postgres_url: str, template: str) -> AsyncIterator[list[str]]:
    """Two migrated, empty databases."""
    names = [f"nestling_cut_{secrets.token_hex(4)}" for _ in range(2)]
    admin = await asyncpg.connect(postgres_url)
    try:
        for name in names:
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield [urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}")) for name in names]
        for name in names:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def _counts(url: str) -> dict[str, int]:
    """The rows of every table."""
    reader = await asyncpg.connect(url)
    try:
        tables = await reader.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name: await reader.fetchval(f'SELECT count(*) FROM "{name}"') for (name,) in tables}
    finally:
        await reader.close()


async def _when_orders_land(url: str, act: Callable[[], Awaitable[object]]) -> int:
    """Do it between two months of purchases, while nothing can be written; how many orders there were then."""
    watcher = await asyncpg.connect(url)
    try:
        for _ in range(6000):
            async with watcher.transaction():
                await watcher.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
                landed = int(await watcher.fetchval("SELECT count(*) FROM orders"))
                if landed:
                    await act()
                    return landed
            await asyncio.sleep(0.005)
    finally:
        await watcher.close()
    raise AssertionError("no order landed")


async def test_what_was_cut_short_by_kill_9_becomes_the_same(clones: list[str], tmp_path: Path) -> None:
    whole, cut = clones
    folders = [tmp_path / name / ".nestling" for name in ("whole", "cut")]
    for folder in folders:
        folder.mkdir(parents=True)
    first = await nestling(folders[0].parent, whole, *PREPARE, ENVIRONMENT="demo")
    assert first.returncode == 0, first.stderr
    environment = {**os.environ, "DATABASE_URL": cut, "REDIS_URL": "none", "ENVIRONMENT": "demo"}
    with process([sys.executable, "-m", "nestling", *PREPARE], environment, folders[1].parent, "prepare") as killed:
        landed = await _when_orders_land(cut, lambda: asyncio.to_thread(killed.end, signal.SIGKILL))
    expected, left = await _counts(whole), await _counts(cut)
    assert 0 < landed == left["orders"] < expected["orders"]
    assert left["demo_steps"] == 1
    again = await nestling(folders[1].parent, cut, *PREPARE, ENVIRONMENT="demo")
    assert again.returncode == 0, again.stderr
    assert await _counts(cut) == expected | {"imports": 2}  # each try is on record
    assert min(expected[name] for name in ("orders", "order_lines", "babies", "scores", "messages")) > 0
