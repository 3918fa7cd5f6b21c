"""Sweeping: every few seconds, what time makes of rows. Every worker does it; each step is safe beside the others."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

from domain.care.leases import expire_due, reopen_lapsed
from domain.gateway import hearing, settling, sweeps
from domain.gateway.delivery import Provider, Providers, Traits
from domain.people.erasures import look_again
from domain.platform.idempotency import forget_keys
from workers.database import step
from workers.doorbell import DELIVER, RECEIPTS, Doorbell

SETTLE_BATCH = 64
OTHERWISE = Traits()


class Sweeper:
    def __init__(self, providers: Providers, doorbell: Doorbell, seconds: float) -> None:
        self._providers = list(providers.by_channel.values())
        self._doorbell = doorbell
        self._seconds = seconds

    async def run(self) -> None:
        """Until cancelled. Workers sweep at different moments."""
        while True:
            await self.sweep()
            await self._doorbell.wait(RECEIPTS, self._seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load

    async def sweep(self) -> None:
        """Everything once."""
        settle_times = {one.name: one.traits.settle_time for one in self._providers}
        longest_patience = max(
            (one.traits.receipt_patience for one in self._providers), default=OTHERWISE.receipt_patience
        )
        quiet: list[tuple[str, Callable[[], Awaitable[int]]]] = [
            ("expire", sweeps.expire),
            ("give up", lambda: sweeps.give_unknown_up(longest_patience)),
            ("call outcomes", sweeps.receive_call_outcomes),
            ("parked receipts", hearing.apply_parked),
            ("call leases", reopen_lapsed),
            ("late calls", expire_due),
            ("old keys", forget_keys),
            ("behind erasures", look_again),
        ]
        for name, work in quiet:
            await step(name, work, 0)
        woken = await step("leases", lambda: sweeps.release_lapsed_leases(settle_times, OTHERWISE.settle_time), 0)
        woken += await step("held", sweeps.wake_held, 0)
        settled = await asyncio.gather(*(step("settle", partial(_settle, one), 0) for one in self._providers))
        if woken or any(settled):
            self._doorbell.ring(DELIVER)


async def _settle(provider: Provider) -> int:
    """Unknown messages of one provider, looked up a few at a time."""
    unsettled = await settling.take_unsettled(provider.name, SETTLE_BATCH)
    await asyncio.gather(*(settling.settle([one], provider) for one in unsettled))
    return len(unsettled)
