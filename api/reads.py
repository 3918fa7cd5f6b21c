"""The pools of a process that only reads, and the one way to run a statement on them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg

from api.context import ApiContext
from api.errors import bad_user_input, deadline_exceeded, unstorable


class Unreset(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A pooled connection that is not reset on release (1.3-1.7 times the requests): never give it session state."""

    def get_reset_query(self) -> str:
        return ""


class Kept:
    """A pool whose connections stay out, each taken in turn by who has waited longest.

    asyncpg's own queue gives a connection to whoever asks while the one it is meant for still wakes up, who then stands
    in line anew; and giving one back costs a task and three turns of the loop. One that failed, or whose statement was
    given up, goes back to the pool, which mends or replaces it.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._turns = asyncio.Semaphore(pool.get_max_size())
        self._idle: list[Any] = []
        self._is_closing = False

    async def fetchrow(self, sql: str, *values: object) -> Sequence[Any]:
        # What `acquire` does, without a generator around the one statement of most requests.
        async with self._turns:
            connection = await self._take()
            try:
                row: Sequence[Any] = await connection.fetchrow(sql, *values)
            except BaseException:
                await self._pool.release(connection)
                raise
            await self._give(connection)
        return row

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """A connection for one statement or more; the pool's size bounds how many are out."""
        async with self._turns:
            connection = await self._take()
            try:
                yield connection
            except BaseException:
                await self._pool.release(connection)
                raise
            await self._give(connection)

    async def close(self) -> None:
        self._is_closing = True
        while self._idle:
            with contextlib.suppress(asyncpg.InterfaceError):
                await self._pool.release(self._idle.pop())
        await self._pool.close()

    async def _give(self, connection: Any) -> None:
        if self._is_closing:
            await self._pool.release(connection)
        else:
            self._idle.append(connection)

    async def _take(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            with contextlib.suppress(asyncpg.InterfaceError):  # it was cut: the pool has taken it back already
                if not connection.is_closed():
                    return connection
                await self._pool.release(connection)
        return await self._pool.acquire()  # at once: we are fewer than the pool's size


class Reads:
    """The pools of a process, for callers who signed in and for those who did not; open while it serves."""

    signed_in: Kept | None = None
    anonymous: Kept | None = None


async def open_reads(
    database_url: str, *, size: int, statement_timeout_s: float, anonymous_timeout_s: float = 1.0
) -> None:
    """Open the pools. Each ends statements itself; the only thing that the first one writes is audit rows.

    Those are committed without waiting for the disk: a crash of the database server may lose the last second's.
    """
    assert Reads.signed_in is None, "the pools are open already"
    # jit: compiling a statement of sub-selects costs more than running it; datestyle: dates are written as ISO's;
    # plan_cache_mode: left to itself PostgreSQL plans most of our statements anew each time, because a LIMIT of known
    # length looks cheaper to it, and planning takes as long as running
    common = {"timezone": "UTC", "jit": "off", "datestyle": "ISO, YMD", "plan_cache_mode": "force_generic_plan"}
    for name, most, timeout_s, settings in (
        ("signed_in", size, statement_timeout_s, {"synchronous_commit": "off"}),
        ("anonymous", max(1, size // 5), anonymous_timeout_s, {"default_transaction_read_only": "on"}),
    ):
        pool = await asyncpg.create_pool(
            database_url,
            min_size=1 if name == "signed_in" else 0,
            max_size=most,
            connection_class=Unreset,
            max_cacheable_statement_size=0,  # any size: the cache is bounded by number
            server_settings={
                **common,
                **settings,
                "application_name": f"nestling-reads-{name.replace('_', '-')}",
                "statement_timeout": str(int(timeout_s * 1000)),
            },
        )
        setattr(Reads, name, Kept(pool))


async def close_reads() -> None:
    pools = [pool for pool in (Reads.signed_in, Reads.anonymous) if pool is not None]
    Reads.signed_in = Reads.anonymous = None
    for pool in pools:
        await pool.close()


async def fetch(context: ApiContext, sql: str, values: Sequence[object]) -> Sequence[Any]:
    """The one row of a statement, counted in the context; DEADLINE_EXCEEDED beyond the deadline."""
    pool = Reads.signed_in if context.caller is not None else Reads.anonymous
    assert pool is not None, "open_reads() first"
    context.statements += 1
    try:
        return await pool.fetchrow(sql, *values)  # waits as long as the operation's deadline lets it
    except (asyncpg.QueryCanceledError, TimeoutError):
        raise deadline_exceeded() from None
    except asyncpg.CharacterNotInRepertoireError:
        raise unstorable() from None
    except asyncpg.DataError as error:
        if type(error) is not asyncpg.DataError:
            raise  # the server's own word: a mistake of the statement
        raise bad_user_input("A value is out of its range.") from None
