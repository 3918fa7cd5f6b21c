"""What the worker makes of a day that `nestling demo advance` brought: waited for, then counted from rows."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from domain.database import connection
from domain.outreach.care_runs import CareReport, planned
from domain.platform import cron
from domain.platform.clock import business_now
from nestling.words import counted
from workers.jobs import Job, newest_tick
from workers.listening import RETRY_SECONDS, WORKER_IS_SEEN

PATIENCE_SECONDS = 180.0
"""How long nothing may come forward on a day before nobody waits for it any more."""
DAY_SECONDS = 480.0
"""How long a day is waited for at most, whatever comes forward."""
LOOK_SECONDS = 0.5
WORKER_SECONDS = 5.0
"""A worker that was just started is seen within this time."""

ENDS = {cron.DONE, cron.FAILED, cron.SKIPPED}
TOLD = {
    "score": "scores", "find_duplicates": "search for duplicates", "build_lists": "call lists", "care_run": "care run",
}  # fmt: skip

LATE_AND_SEEN = f"""
SELECT (SELECT count(*)::int FROM callback_tasks WHERE state = 'OPEN' AND expires_at <= business_now()) AS late,
       {WORKER_IS_SEEN} AS has_worker
"""  # noqa: S608  # our own words
WAYS = (
    ("delivered", ("DELIVERED",), ""),
    ("with the provider", ("ACCEPTED", "UNKNOWN"), "on the way: its receipt has not come yet"),
    ("still to leave", ("PLANNED", "HELD", "QUEUED", "SENDING"), "on the way: wait for their hour or their turn"),
    ("not delivered", ("UNDELIVERED", "FAILED", "DEAD", "UNKNOWN_FINAL"), "the outbox page says why"),
    ("no longer wanted", ("EXPIRED", "CANCELLED", "SUPPRESSED"), "too late, called off, or no longer allowed"),
)
"""Where a planned message can be, in the order of its life; what never was to leave is told beside."""
CLOSED = (
    ("expired", "expired", "their time passed and nobody called"), ("done", "finished", ""),
    ("cancelled", "called off", "no longer wanted, or no longer allowed"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lists:
    """The call lists at a moment of the business clock."""

    at: datetime
    open: int


@dataclass(frozen=True, slots=True)
class NewDay:
    """How far the day's jobs came: their states by name, on the date of each. `late_calls`: still to be closed."""

    has_worker: bool
    states: dict[str, str]
    dates: dict[str, datetime] = field(default_factory=dict)
    late_calls: int = 0

    @property
    def left(self) -> list[str]:
        """The jobs that have not come to their end, as people call them."""
        return [TOLD.get(name, name) for name, state in self.states.items() if state not in ENDS]

    @property
    def awaits(self) -> str:
        """What has not come to its end, in words, and whether it has begun."""
        begun = {cron.RUNNING: "under way"}
        parts = [
            f"{TOLD.get(name, name)} {begun.get(state, 'not begun')}"
            for name, state in self.states.items()
            if state not in ENDS
        ]
        late = [f"{counted(self.late_calls, 'late call')} still to be closed"] if self.late_calls else []
        return ", ".join(parts + late)

    @property
    def failed(self) -> list[str]:
        return [TOLD.get(name, name) for name, state in self.states.items() if state == cron.FAILED]

    @property
    def is_done(self) -> bool:
        return not self.left and not self.late_calls


async def look_at_lists() -> Lists:
    rows = await _rows("SELECT count(*)::int AS n FROM callback_tasks WHERE state IN ('OPEN', 'LEASED')")
    return Lists(await business_now(), rows[0]["n"])


async def wait_for_worker(
    jobs: list[Job],
    zone: ZoneInfo,
    say: Callable[[str], None],
    *,
    patience: float = PATIENCE_SECONDS,
    is_served: Callable[[], bool] = lambda: False,
) -> NewDay:
    """Wait until the worker has done the newest due day: scores, call lists, care run, and calls that are too late.

    Until nothing has come forward for `patience` seconds, at most DAY_SECONDS, and a few seconds only where no worker
    is to be seen, unless the demo serves (`is_served`): it keeps one alive. The answer says how far it came. Writes
    nothing.
    """
    started = forward = heard = time.monotonic()
    before: NewDay | None = None
    while True:
        day = await _look(jobs, zone, is_served=is_served())
        now = time.monotonic()
        heard = now if day.has_worker else heard
        if day != before:
            before, forward = day, now
        is_too_long = now - forward > patience or now - started > DAY_SECONDS
        if day.is_done or is_too_long or now - heard > min(WORKER_SECONDS, patience):
            return day
        say(f"waiting: {day.awaits}")
        await asyncio.sleep(LOOK_SECONDS)


async def has_worker() -> bool:
    """Whether a worker is seen on this database; one that has lost its connection is waited for."""
    until = time.monotonic() + RETRY_SECONDS
    while not (await _rows(f"SELECT {WORKER_IS_SEEN} AS is_seen"))[0]["is_seen"]:
        if time.monotonic() > until:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


async def _look(jobs: list[Job], zone: ZoneInfo, *, is_served: bool) -> NewDay:
    now = (await business_now()).astimezone(zone)
    dates = {job.name: newest_tick(now, job.at) for job in jobs}
    ticks = await _rows(
        "SELECT t.job, t.state FROM cron_ticks t JOIN unnest($1::text[], $2::timestamptz[]) AS due (job, tick) "
        "ON due.job = t.job AND due.tick = t.tick",
        list(dates), list(dates.values()),
    )  # fmt: skip
    known = {row["job"]: row["state"] for row in ticks}
    rows = await _rows(LATE_AND_SEEN)
    states = {name: known.get(name, cron.WANTED) for name in dates}
    return NewDay(is_served or rows[0]["has_worker"], states, dates, rows[0]["late"])


async def report(day: NewDay, before: Lists, new: dict[str, int], zone: ZoneInfo) -> Table:
    """The table of what came since `before`, counted from rows. `new`: what was fed in, by noun."""
    table = Table("What came of it", title=f"Since {before.at.astimezone(zone):%Y-%m-%d %H:%M}", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("Note")
    for noun, number in new.items():
        table.add_row(f"New {noun}", f"{number:,}", "")
    await _tell_scores(table)
    await _tell_care(table, day, before)
    await _tell_calls(table, before)
    return table


async def _tell_scores(table: Table) -> None:
    rows = await _rows("SELECT model_name, as_of, count(*)::int AS n FROM scores GROUP BY 1, 2 ORDER BY 1")
    for row in rows:
        table.add_row(f"Scores live, {row['model_name'].replace('_', '-')}", f"{row['n']:,}", f"as of {row['as_of']}")


async def _tell_care(table: Table, day: NewDay, before: Lists) -> None:
    """What the care runs that came due since planned: messages, with where they are now, and calls by themselves."""
    due = day.dates.get("care_run")
    if due is None:
        return
    if due <= before.at:
        table.add_row("Messages planned", "0", f"the care run of {due:%Y-%m-%d} was before; the next is at {due:%H:%M}")
        return
    first = due  # of the days since, the first whose care run came due
    while first - timedelta(days=1) > before.at:
        first -= timedelta(days=1)
    runs = await _runs(first.date(), due.date())
    for kind, is_call in (("Messages", False), ("Calls", True)):
        for verdict, told in (("SEND", "planned"), ("HOLD", "held"), ("SUPPRESS", "suppressed")):
            rows = [row for run in runs for row in run.by]
            found = [row for row in rows if row["verdict"] == verdict and (row["channel"] == "CALL") == is_call]
            note = _days_of(runs) if verdict == "SEND" else _reasons(found)
            table.add_row(f"{kind} {told}", f"{sum(row['n'] for row in found):,}", note)
        if not is_call:
            await _tell_ways(table, first.date(), due.date(), sum(row["n"] for row in found))


async def _runs(first: date, last: date) -> list[CareReport]:
    rows = await _rows("SELECT run_on FROM care_runs WHERE run_on BETWEEN $1 AND $2 ORDER BY 1", first, last)
    return [run for row in rows if (run := await planned(row["run_on"])) is not None]


def _days_of(runs: list[CareReport]) -> str:
    if not runs:
        return "not yet"
    if len(runs) == 1:
        return f"care run of {runs[0].run_on}"
    return f"{len(runs)} care runs, {runs[0].run_on} to {runs[-1].run_on}"


def _reasons(found: list[dict[str, Any]]) -> str:
    """The reasons that hold most of them back, largest first."""
    by_reason: dict[str, int] = {}
    for row in found:
        by_reason[row["reason"]] = by_reason.get(row["reason"], 0) + row["n"]
    largest = sorted(by_reason.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{reason.lower().replace('_', ' ')} {n:,}" for reason, n in largest)


async def _tell_ways(table: Table, first: date, last: date, suppressed: int) -> None:
    """Where the messages of these runs are now: with her, with the provider, still to leave, or at an end.

    `suppressed`: how many never were to leave; whoever was held and then suppressed is no longer wanted.
    """
    rows = await _rows(
        "SELECT m.state, count(*)::int AS n FROM messages m JOIN care_runs r ON r.id = m.care_run_id "
        "WHERE r.run_on BETWEEN $1 AND $2 AND m.channel <> 'CALL' GROUP BY 1",
        first, last,
    )  # fmt: skip
    counts = {row["state"]: row["n"] for row in rows}
    counts["SUPPRESSED"] = counts.get("SUPPRESSED", 0) - suppressed
    for told, states, why in WAYS:
        number = sum(counts.get(state, 0) for state in states)
        table.add_row(f"  {told}", f"{number:,}", why if number else "")


async def _tell_calls(table: Table, before: Lists) -> None:
    """The call lists then and now, with everything between: opened, expired, finished, called off."""
    rows = await _rows(
        "SELECT count(*) FILTER (WHERE created_at > $1)::int AS opened, "
        "count(*) FILTER (WHERE state = 'EXPIRED' AND closed_at > $1)::int AS expired, "
        "count(*) FILTER (WHERE state = 'DONE' AND closed_at > $1)::int AS done, "
        "count(*) FILTER (WHERE state = 'CANCELLED' AND closed_at > $1)::int AS cancelled, "
        "count(*) FILTER (WHERE state IN ('OPEN', 'LEASED'))::int AS open FROM callback_tasks",
        before.at,
    )
    calls = rows[0]
    table.add_row("Call-backs open before", f"{before.open:,}", "")
    table.add_row("  opened", f"+{calls['opened']:,}" if calls["opened"] else "0", "")
    for state, told, why in CLOSED:
        table.add_row(f"  {told}", f"-{calls[state]:,}" if calls[state] else "0", why if calls[state] else "")
    change = calls["open"] - before.open
    why = f"{counted(abs(change), 'call')} {'fewer' if change < 0 else 'more'} than before" if change else ""
    table.add_row("Call-backs open now", f"{calls['open']:,}", why)


async def _rows(statement: str, *values: Any) -> list[dict[str, Any]]:
    return await connection().execute_query_dict(statement, list(values))
