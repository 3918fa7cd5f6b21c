"""How far the worker's dispatch is: what still waits for its first attempt, and what providers have."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg

LOOK_SECONDS = 0.5
STATE = """
SELECT count(*) FILTER (WHERE state IN ('PLANNED', 'QUEUED', 'SENDING') AND attempt <= 1 AND next_attempt_at IS NULL
                        AND not_before <= business_now()) AS waiting,
       count(*) FILTER (WHERE state IN ('ACCEPTED', 'DELIVERED', 'UNDELIVERED', 'UNKNOWN', 'FAILED')) AS handed
FROM messages
"""


async def dispatch_state(database_url: str) -> tuple[int, int]:
    """(messages that wait for a first attempt that is due, messages that a provider was handed)."""
    reader = await asyncpg.connect(database_url)
    try:
        row = await reader.fetchrow(STATE)
    finally:
        await reader.close()
    return row["waiting"], row["handed"]


async def wait_for_dispatch(
    look: Callable[[], Awaitable[tuple[int, int]]], say: Callable[[str], None], patience: float
) -> None:
    """Until nothing waits for its first attempt, at most `patience` seconds. A provider's delays are not waited for."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        left, sent = await look()
        say(f"{sent:,} handed to providers, {left:,} to go")
        if left == 0:
            return
        await asyncio.sleep(LOOK_SECONDS)
