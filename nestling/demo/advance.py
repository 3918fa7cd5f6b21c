"""`nestling demo advance 7d`: the business clock jumps, and what was bought in those days comes in.

The worker sees the new day on the same clock and makes its care run, calls and messages; it is woken for that.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.platform.changes import OUTBOX_BELL, announce
from domain.platform.clock import advance_business_clock
from nestling.demo.new_day import Lists, look_at_lists
from nestling.demo.purchases import import_orders, last_purchase_at
from nestling.demo.synthetic import add_babies, add_people
from nestling.opening import NotReady
from nestling.words import this_command
from workers.doorbell import JOBS

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
FARTHEST = timedelta(days=366)
FEED_SECONDS = 600.0  # a year of all households takes a fraction of it


@dataclass(frozen=True, slots=True)
class Advanced:
    now: datetime  # business clock
    orders: int
    lines: int
    members: int
    babies: int
    before: Lists  # the call lists before the clock moved
    is_over: bool  # the source has nothing more


def span(text: str) -> timedelta:
    """7d, 12h, 30m, 2w as a timedelta; ValueError in words for anything else, nothing, backwards or beyond a year."""
    found = re.fullmatch(r"(-?)(\d{1,12})([mhdw])", text.strip().lower())
    if found is None:
        raise ValueError(f"{text} is not a span of time: write 30m, 12h, 7d or 2w.")
    if found[1]:
        raise ValueError(f"{text} lies in the past, and the clock never goes back: write 30m, 12h, 7d or 2w.")
    amount, unit = int(found[2]), UNITS[found[3]]
    if not amount:
        raise ValueError(f"{text} moves nothing: write 30m, 12h, 7d or 2w.")
    if amount > FARTHEST / timedelta(**{unit: 1}):
        raise ValueError(f"{text} is farther than one advance goes, {FARTHEST.days} days: write 30m, 12h, 7d or 2w.")
    return timedelta(**{unit: amount})


async def advance(url: str, by: timedelta, say: Callable[[str], None] = lambda _: None) -> Advanced:
    """Move the business clock and feed in what was bought since the last feed. Needs the ORM open on the same database.

    Killed before the clock moved, it is finished by the next advance: purchases are fed from where the last feed ended.
    NotReady where they have not come in within FEED_SECONDS.
    """
    await refuse_without_purchases()
    before = await look_at_lists()
    try:
        async with asyncio.timeout(FEED_SECONDS):
            counts = await import_orders(url, until=before.at + by)
            assert counts is not None
            now = counts.until
            people = await add_people(url, now=now)
            babies = await add_babies(url, now=now)
    except TimeoutError as late:
        raise NotReady(
            f"The purchases of these days have not come in within {FEED_SECONDS:.0f} s, so the clock has not moved: "
            "another command may hold the tables (an import, another advance). Let it end and run the same again."
        ) from late
    # The clock moves last: the worker scores the new day as soon as it reads it, and must find its purchases there.
    await advance_business_clock(by)
    await announce(OUTBOX_BELL, JOBS)
    say(f"The business clock reads {now:%Y-%m-%d %H:%M} UTC.")
    is_over = now > last_purchase_at()
    if is_over:
        say(f"There are no more purchases: the source ends {last_purchase_at():%Y-%m-%d %H:%M} UTC.")
    return Advanced(now, counts.orders, counts.lines, people.members, babies["inferred"], before, is_over)


async def refuse_without_purchases() -> None:
    """Raise NotReady where no demo was ever fed into the database."""
    from domain.platform.imports import Import

    if not await Import.filter(kind="completejourney", state="DONE").exists():
        raise NotReady(
            f"This database has no demo in it, and its clock is the real one. Start with: {this_command()} demo"
        )
