"""Lanes: one for each provider. A claimer leases batches, senders post them, a recorder writes results by the hundred.

Crash-only: whatever is in memory here can be lost at any point, because a lease that runs out says what to do.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial

import structlog

from domain.gateway.attempts import Attempt, NotPosted, Recorded, record_attempts
from domain.gateway.claims import Claimed, claim
from domain.gateway.delivery import Outcome, Provider, Unknown
from domain.gateway.renderings import Letterhead
from domain.platform.clock import real_now
from workers.database import step
from workers.doorbell import DELIVER, Doorbell

log = logging.getLogger("nestling.worker.lane")
outcomes = structlog.stdlib.get_logger("nestling.worker.lane")

SPARE = timedelta(seconds=1)  # a lease must outlast the provider's time-out by this, or nothing is posted
BATCHES = 4  # messages leased for each request in flight: a claim costs the same for one message and for many
LARGEST_RECORD = 200
LAST_WORDS = timedelta(seconds=10)  # for results to be written when the worker stops


class Lane:
    """Bounded: at most `concurrency` requests in flight and a few times as many messages leased."""

    def __init__(
        self,
        owner: str,
        provider: Provider,
        letterhead: Letterhead,
        doorbell: Doorbell,
        concurrency: int,
        poll: timedelta,
    ) -> None:
        self._owner = owner
        self._provider = provider
        self._letterhead = letterhead
        self._doorbell = doorbell
        self._concurrency = min(concurrency, provider.traits.concurrency)
        # What is leased when a worker dies is unknown: where nobody could settle that, nothing is leased ahead.
        self._capacity = self._concurrency * (BATCHES if provider.traits.can_settle else 1)
        self._poll = poll
        self._lease = provider.traits.timeout * 3 + SPARE * 2
        self._claimed: asyncio.Queue[Claimed | None] = asyncio.Queue()
        self._done: asyncio.Queue[Attempt | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: then nothing more is claimed, what is in flight is finished, what is leased is given back."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._record(), name=f"record-{self._provider.name}")
            senders = [group.create_task(self._send(), name=f"send-{n}") for n in range(self._concurrency)]
            claimer = group.create_task(self._claim(), name=f"claim-{self._provider.name}")
            await stop.wait()
            self._stopping = True
            self._room.set()
            self._doorbell.ring(DELIVER)
            await claimer
            for _ in senders:
                self._claimed.put_nowait(None)
            await asyncio.gather(*senders)
            self._done.put_nowait(None)

    async def _claim(self) -> None:
        poll = self._poll.total_seconds()
        while not self._stopping:
            room = self._capacity - self._claimed.qsize()
            if room < self._capacity // 2:
                self._room.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._room.wait(), poll)
                continue
            claimed, seen = await step("claim", partial(self._lease_some, room), (list[Claimed](), 0))
            for one in claimed:
                self._claimed.put_nowait(one)
            if seen == 0 and not self._stopping:
                await self._doorbell.wait(DELIVER, poll)

    async def _lease_some(self, room: int) -> tuple[list[Claimed], int]:
        return await claim(self._owner, self._provider, room, self._lease, self._letterhead)

    async def _send(self) -> None:
        while (one := await self._claimed.get()) is not None:
            if self._claimed.qsize() <= self._capacity // 2:
                self._room.set()
            outcome = await self._post(one)
            self._done.put_nowait(Attempt(one.outgoing.message_id, one.attempt, one.may_have_left, outcome))

    async def _post(self, one: Claimed) -> Outcome | NotPosted:
        """Post it, unless something says at this very moment that we must not."""
        now = real_now()
        if self._stopping:
            return NotPosted("STOPPING")
        if one.expires_at <= now:
            return NotPosted("EXPIRED", is_expired=True)
        if one.lease_until - now < self._provider.traits.timeout + SPARE:
            return NotPosted("LEASE_TOO_SHORT")
        try:
            return await self._provider.send(one.outgoing)
        except Exception as failure:  # noqa: BLE001 - a channel that fails in a way nobody thought of: it may have left
            log.error("%s raised %s", self._provider.name, type(failure).__name__)
            return Unknown("CHANNEL_RAISED")

    async def _record(self) -> None:
        """Write results as they come, many at a time. A database that is away is waited for."""
        is_last = False
        while not is_last:
            batch = [await self._done.get()]
            while not self._done.empty() and len(batch) < LARGEST_RECORD:
                batch.append(self._done.get_nowait())
            is_last = None in batch
            await self._write([one for one in batch if one is not None])

    async def _write(self, results: list[Attempt]) -> None:
        until = real_now() + (LAST_WORDS if self._stopping else self._lease)
        while results and real_now() < until:
            written = await step("record", lambda: record_attempts(self._owner, results, self._provider.traits), None)
            if written is not None:
                await asyncio.to_thread(self._tell, written)  # requests go on meanwhile
                if len(written) < len(results):
                    log.warning("%d results came after their lease", len(results) - len(written))
                return

    def _tell(self, written: list[Recorded]) -> None:
        """One line an attempt, by ids: whom it was for and what it said stand in the database only."""
        for one in written:
            outcomes.info(
                "attempt recorded",
                message_id=str(one.message_id),
                attempt=one.attempt,
                provider=self._provider.name,
                state=one.state.value,
                code=one.code,
            )
