"""What a worker does when the database is away: wait and try again; its rows say where it was."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from tortoise.exceptions import DBConnectionError, OperationalError, TransactionManagementError

log = logging.getLogger("nestling.worker")

T = TypeVar("T")

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    DBConnectionError,
    OperationalError,
    TransactionManagementError,
)
"""Failures of the database or of the way to it. Every step is a transaction that can run again."""

PAUSE_SECONDS = 1.0


PASSING = ("08", "25", "40", "53", "55", "57", "58")
"""SQLSTATE classes that time cures: connections, deadlocks, resources, shutdown. Any other is a mistake of ours."""


async def step(name: str, work: Callable[[], Awaitable[T]], otherwise: T) -> T:
    """Do one step; when the database fails it, say so (its class, never its data), pause and answer `otherwise`.

    A mistake of ours is said as an error and does not stop the other steps: their messages still leave.
    """
    try:
        return await work()
    except AWAY as failure:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from failure  # in the middle, and its undoing failed: still cancelled
        cause = failure.__cause__ or failure
        code = str(getattr(cause, "sqlstate", None) or "")
        level = logging.WARNING if not code or code[:2] in PASSING else logging.ERROR
        log.log(level, "%s failed: %s %s", name, type(cause).__name__, code)
        await asyncio.sleep(PAUSE_SECONDS)
        return otherwise
