"""Rates: how often a service token may look somebody up. Counted in each process, by the machine's clock.

With several web processes the limit holds for each of them; it is a brake on enumeration, not a quota.
"""

import time
from collections import OrderedDict
from uuid import UUID

from api.config import ApiConfig
from api.context import ApiContext
from api.errors import rate_limited
from domain.platform.roles import Role

MOST_TOKENS = 10_000


class Bucket:
    """Tokens drip in evenly; a burst of ten seconds' worth is allowed."""

    def __init__(self) -> None:
        self._levels: OrderedDict[UUID, tuple[float, float]] = OrderedDict()

    def take(self, key: UUID, per_minute: int, now: float | None = None) -> int:
        """0 when one more is allowed, else the seconds to wait."""
        now = time.monotonic() if now is None else now
        rate, most = per_minute / 60, max(1.0, per_minute / 6)
        level, at = self._levels.pop(key, (most, now))
        level = min(most, level + (now - at) * rate)
        allowed = level >= 1
        self._levels[key] = (level - 1 if allowed else level, now)
        if len(self._levels) > MOST_TOKENS:
            self._levels.popitem(last=False)
        return 0 if allowed else max(1, round((1 - level) / rate))


LOOK_UPS = Bucket()


def look_up(context: ApiContext, by: set[str]) -> None:
    """A look-up of what is known of somebody: a service's is braked, and audited with the answer."""
    brake_look_ups(context, context.config)
    if context.actor.role is Role.FRONTEND:
        context.looked_up_by |= by


def brake_look_ups(context: ApiContext, config: ApiConfig) -> None:
    """One more look-up of a member by this caller; RATE_LIMITED when a service asks too often."""
    actor = context.caller
    if actor is not None and actor.role is Role.FRONTEND and actor.token_id is not None:
        wait = LOOK_UPS.take(actor.token_id, config.service_reads_per_minute)
        if wait:
            raise rate_limited(wait)
