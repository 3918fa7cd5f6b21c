"""How far the worker's dispatch is: where each message is that was to be sent, and what waits for its first try."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

LOOK_SECONDS = 0.5
STATE = """
SELECT m.state, d.verdict = 'SEND' AS was_to_send, count(*) AS n,
       count(*) FILTER (WHERE m.state IN ('PLANNED', 'QUEUED', 'SENDING') AND m.attempt <= 1
                        AND m.next_attempt_at IS NULL AND m.not_before <= business_now()) AS untried
FROM messages m
JOIN LATERAL (SELECT verdict FROM decisions d WHERE d.intent_key = m.intent_key
              ORDER BY d.decided_at, d.id LIMIT 1) d ON true
GROUP BY 1, 2
"""
HANDED, WAITING = "handed over", "waiting"
WAYS = {
    HANDED: ("ACCEPTED", "DELIVERED", "UNDELIVERED", "UNKNOWN", "UNKNOWN_FINAL"),
    WAITING: ("PLANNED", "QUEUED", "SENDING"),
    "held": ("HELD",),
    "withdrawn": ("CANCELLED",),
    "no longer allowed": ("SUPPRESSED",),
    "too late": ("EXPIRED",),
    "failed": ("FAILED", "DEAD"),
}
"""Where a message can be that was to be sent, as people say it: every state stands once. A call is handed over when it
is on a consultant's list; a message whose answer was lost (UNKNOWN) may have arrived."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """`untried`: messages that wait for a first try that is due, whatever was decided first. `ways`: of those to send,
    how many went which way."""

    untried: int
    ways: dict[str, int]

    @property
    def told(self) -> str:
        """The sum, exactly: to send = handed over + whatever else became of them."""
        again = "" if self.untried else " for another try"
        terms = [f"{n:,} {way}{again * (way == WAITING)}" for way, n in self.ways.items() if n or way == HANDED]
        return f"{sum(self.ways.values()):,} to send = {' + '.join(terms)}"


async def dispatch_state(database_url: str) -> Dispatch:
    """Counted from rows: of the messages whose first decision was to send, each is counted once."""
    reader = await asyncpg.connect(database_url)
    try:
        rows = await reader.fetch(STATE)
    finally:
        await reader.close()
    sent = {row["state"]: row["n"] for row in rows if row["was_to_send"]}
    ways = {way: sum(sent.get(state, 0) for state in states) for way, states in WAYS.items()}
    return Dispatch(sum(row["untried"] for row in rows), ways)


async def wait_for_dispatch(
    look: Callable[[], Awaitable[Dispatch]], say: Callable[[str], None], patience: float
) -> None:
    """Until nothing waits for its first try, at most `patience` seconds. A provider's delays are not waited for."""
    until = time.monotonic() + patience
    while True:
        state = await look()
        say(state.told)
        if not state.untried or time.monotonic() > until:
            return
        await asyncio.sleep(LOOK_SECONDS)
