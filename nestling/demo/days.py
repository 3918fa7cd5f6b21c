"""The days of `nestling demo advance`, lived one by one: each has its purchases, its scores, its calls and its care."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.platform.clock import business_now, local_day
from nestling.demo.advance import Advanced, advance
from nestling.demo.dispatch import dispatch_state, wait_for_dispatch
from nestling.demo.new_day import NewDay, wait_for_worker
from nestling.demo.progress import Progress, Unfinished
from nestling.words import counted
from workers.jobs import Job

EVENING = time(18)
"""Where a day is stopped at on the way: its jobs are due by then, and messages may still go out."""
MOST_DAYS = 31
"""Of a longer jump only so many last days are lived; the ones before are passed over, and that is said."""
DISPATCH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Lived:
    """What all the days brought together, and how far the last one came."""

    moved: Advanced
    day: NewDay
    passed_over: int  # days whose jobs nobody ran: a jump too long
    failed: tuple[str, ...] = ()  # the jobs that failed on any of the days, as people call them
    left: timedelta = timedelta()  # how much of the way is still to go: the last day was not finished

    @property
    def is_done(self) -> bool:
        """The whole way was gone, and nothing failed on it."""
        return self.day.is_done and not self.failed and not self.left


def stops(start: datetime, by: timedelta, jobs: list[Job], zone: ZoneInfo) -> list[datetime]:
    """The moments to stop at, ascending: the evening of every day whose jobs come due on the way, and the end."""
    end, due = start + by, max(job.at for job in jobs)
    found = set()
    day = local_day(start, zone)
    while day <= local_day(end, zone):
        begins, evening = (datetime.combine(day, at, zone).astimezone(UTC) for at in (due, max(due, EVENING)))
        if start < begins <= end:
            found.add(min(evening, end))
        day += timedelta(days=1)
    return sorted(found | {end})


async def live(
    url: str, by: timedelta, jobs: list[Job], zone: ZoneInfo, progress: Progress, *, is_served: Callable[[], bool]
) -> Lived:
    """Move the clock day by day, waiting for the worker on each; a day that it does not finish is the last one.

    Every wait is bounded. Interrupted, it has moved as far as it says, and the next advance goes on from there. Needs
    the ORM open.
    """
    start = await business_now()
    ahead = stops(start, by, jobs, zone)
    passed_over, ahead = max(len(ahead) - MOST_DAYS, 0), ahead[-MOST_DAYS:]
    if passed_over:
        progress.line(f"The last {MOST_DAYS} days are lived one by one; the {passed_over} before them pass at once.")
    total: Advanced | None = None
    failed: dict[str, None] = {}
    for number, stop in enumerate(ahead, start=1):
        is_last = stop == ahead[-1]
        moved = await advance(url, max(stop - await business_now(), timedelta()), progress.line if is_last else _quiet)
        total = moved if total is None else _sum(total, moved)
        title = f"The worker's {stop.astimezone(zone):%a %d %b}" + (f" ({number} of {len(ahead)})" if ahead[1:] else "")
        with progress.step(title) as say:
            day = await wait_for_worker(jobs, zone, say, is_served=is_served)
            failed |= dict.fromkeys(day.failed)
            if not day.is_done:
                raise Unfinished(f"not finished ({day.awaits})")
            await wait_for_dispatch(lambda: dispatch_state(url), say, DISPATCH_SECONDS)
            if day.failed:
                raise Unfinished(f"the worker failed at the {', '.join(day.failed)}")
            say("done")
        if not day.is_done:
            break
    assert total is not None
    return Lived(total, day, passed_over, tuple(failed), max(ahead[-1] - stop, timedelta()))


def missing(lived: Lived, demo_command: str) -> list[str]:
    """What the table cannot tell yet and what to do about it, in sentences; nothing when every day is done."""
    said, day = [], lived.day
    if lived.passed_over:
        days = counted(lived.passed_over, "day")
        said.append(f"{days} passed without scores, calls and care: a worker makes up for the newest day only.")
    said += [
        f"The worker failed at the {name}; its log says why, and the next day tries again." for name in lived.failed
    ]
    if not day.is_done and day.has_worker:
        said.append(
            f"The worker has not finished yet ({day.awaits}); it goes on by itself, and the pages show it. Its log, "
            "worker.log of the demo's, says what it does."
        )
    elif not day.is_done:
        said.append(
            f"No worker runs on this database, so the rest waits ({day.awaits}): the next start of the demo "
            f"(make demo, or {demo_command}) or of a worker does it."
        )
    if minutes := round(lived.left / timedelta(minutes=1)):
        said.append(
            f"The clock stopped there. Once that day is finished, go on with: {demo_command} advance {minutes}m"
        )
    return said


def _sum(before: Advanced, moved: Advanced) -> Advanced:
    return replace(
        moved, orders=before.orders + moved.orders, lines=before.lines + moved.lines,
        members=before.members + moved.members, babies=before.babies + moved.babies, before=before.before,
    )  # fmt: skip


def _quiet(_: str) -> None: ...
