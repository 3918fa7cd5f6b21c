"""Segments are kept up: every few seconds, what changed since, new rules and the local days that have begun."""

import logging
import random

from domain.segments.memberships import KeptUp, keep_up
from workers.database import step
from workers.doorbell import JOBS, Doorbell

log = logging.getLogger("nestling.worker.segments")


async def keep_segments(doorbell: Doorbell, seconds: float) -> None:
    """Until cancelled. Beside the sweeper, not in it: a new rule over a million members holds up no delivery.

    Every worker does it; of several at once one works, and the others find nothing to do.
    """
    while True:
        done = await step("segments", keep_up, KeptUp())
        if done.moved:
            log.info("segments: %d members looked at, %d moved", done.changed, done.moved)
        if not done.is_behind:
            await doorbell.wait(JOBS, seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
