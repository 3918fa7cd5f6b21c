"""The pools that reads run on: connections that stay out, taken in turn, replaced when cut, given up at the end."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from api.reads import Kept, Reads, close_reads, open_reads


@pytest_asyncio.fixture
async def kept(db: str) -> AsyncIterator[Kept]:
    await open_reads(db, size=2, statement_timeout_s=5)
    assert Reads.signed_in is not None
    yield Reads.signed_in
    async with asyncio.timeout(5):
        await close_reads()


async def pid(kept: Kept) -> int:
    found: int = (await kept.fetchrow("SELECT pg_backend_pid(), pg_sleep(0.01)"))[0]
    return found


async def test_many_at_once_share_few_connections_and_one_alone_keeps_hers(kept: Kept) -> None:
    async with asyncio.timeout(10):
        assert len(set(await asyncio.gather(*(pid(kept) for _ in range(40))))) == 2
        assert len({await pid(kept) for _ in range(5)}) == 1


async def test_who_has_waited_longest_reads_next_whoever_asks_meanwhile(kept: Kept) -> None:
    asked = itertools.count()
    begun: list[int] = []

    async def read() -> None:
        for _ in range(5):  # who has read asks again at once, and is behind all who wait
            ticket = next(asked)
            async with kept.acquire() as connection:
                begun.append(ticket)
                await connection.fetchval("SELECT pg_sleep(0.001)")

    async with asyncio.timeout(20):
        await asyncio.gather(pid(kept), pid(kept))  # both connections are open
        await asyncio.gather(*(read() for _ in range(20)))
    assert begun == list(range(100))


async def test_who_gives_up_waiting_takes_no_connection_along(kept: Kept) -> None:
    async with asyncio.timeout(20):
        for _ in range(30):
            readers = [asyncio.create_task(pid(kept)) for _ in range(12)]
            await asyncio.sleep(random.uniform(0, 0.03))
            for reader in random.sample(readers, 6):
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
        assert len(set(await asyncio.gather(*(pid(kept) for _ in range(10))))) <= 2


async def test_who_wants_a_connection_for_herself_gets_one_while_others_read(kept: Kept) -> None:
    async with asyncio.timeout(10):
        reading = [asyncio.create_task(pid(kept)) for _ in range(20)]
        async with kept.acquire() as one, kept.acquire() as other:
            assert await one.fetchval("SELECT pg_backend_pid()") != await other.fetchval("SELECT pg_backend_pid()")
        await asyncio.gather(*reading)


async def test_a_read_that_is_given_up_leaves_no_connection_behind(kept: Kept) -> None:
    async with asyncio.timeout(20):
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await kept.fetchrow("SELECT pg_sleep(5)")
        assert len(set(await asyncio.gather(*(pid(kept) for _ in range(10))))) <= 2


async def test_a_cut_connection_is_replaced(db: str, kept: Kept) -> None:
    before = await pid(kept)
    admin = await asyncpg.connect(db)
    assert await admin.fetchval("SELECT pg_terminate_backend($1, 2000)", before)
    await admin.close()
    assert await pid(kept) != before


async def test_a_statement_is_planned_once_and_not_for_each_of_its_values(kept: Kept) -> None:
    """A LIMIT whose number is known looks cheaper to PostgreSQL than one that is not: it would plan for each."""
    sql = "SELECT count(*) FROM (SELECT id FROM members ORDER BY id LIMIT $1::bigint) few"
    for number in range(12):
        await kept.fetchrow(sql, number)
    asked = "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement = $1"
    assert tuple(await kept.fetchrow(asked, sql)) == (12, 0)
