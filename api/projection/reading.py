"""Where planned statements run: an asyncpg pool of their own, read only, in UTC, with a deadline for each statement."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from api.context import ApiContext
from api.errors import deadline_exceeded

ACQUIRE_TIMEOUT_S = 5.0


class Unreset(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A pooled connection that is not reset on release (1.3-1.7 times the requests): never give it session state."""

    def get_reset_query(self) -> str:
        return ""


class Reads:
    """The pool of a process; open from `open_reads` to `close_reads`."""

    pool: asyncpg.Pool | None = None


async def open_reads(database_url: str, *, size: int, statement_timeout_s: float) -> None:
    """Open the process's pool. Its connections can write nothing."""
    assert Reads.pool is None, "the pool is open already"
    Reads.pool = await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=size,
        connection_class=Unreset,
        server_settings={
            "timezone": "UTC",
            "application_name": "nestling-reads",
            "statement_timeout": str(int(statement_timeout_s * 1000)),
            "default_transaction_read_only": "on",
            "jit": "off",  # compiling a statement of sub-selects costs more than running it
        },
    )


async def close_reads() -> None:
    pool, Reads.pool = Reads.pool, None
    if pool is not None:
        await pool.close()


async def fetch(context: ApiContext, sql: str, parameters: Sequence[object]) -> Any:
    """The first value of one statement, counted in the context; DEADLINE_EXCEEDED beyond the deadline."""
    assert Reads.pool is not None, "open_reads() first"
    context.statements += 1
    try:
        async with Reads.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            return await connection.fetchval(sql, *parameters)
    except (asyncpg.QueryCanceledError, TimeoutError):
        raise deadline_exceeded() from None
