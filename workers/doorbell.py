"""The doorbell: how parts of a worker wake each other, and how other processes wake them. Nobody relies on it.

Everything that waits also looks by itself after a while, so a ring that is lost costs a moment and no work.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

DELIVER = "deliver"  # messages to relay and to claim
RECEIPTS = "apply_receipts"
JOBS = "jobs"  # daily jobs, and those that somebody asked for


class Doorbell:
    """In this process: an event a topic."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, topic: str) -> None:
        """Wake everybody who waits for the topic."""
        for event in self._waiting[topic]:
            event.set()

    async def wait(self, topic: str, seconds: float) -> None:
        """Return at the next ring, at the latest after so many seconds."""
        event = asyncio.Event()
        self._waiting[topic].add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting[topic].discard(event)


class Waker(Protocol):
    """Wakes the workers of other processes. Never raises, never waits long; ids only."""

    async def wake(self, job: str, ids: Sequence[str]) -> None: ...


class NoWaker:
    """Without a Redis the others find out by themselves."""

    async def wake(self, job: str, ids: Sequence[str]) -> None:
        """Nothing to ring."""
