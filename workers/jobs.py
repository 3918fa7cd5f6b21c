"""Jobs: what runs once a business day, or when somebody asks. A tick is a row that says who runs it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.platform import cron
from domain.platform.clock import business_now
from workers.database import AWAY, step
from workers.doorbell import DELIVER, JOBS, Doorbell, Waker

log = logging.getLogger("nestling.worker.jobs")

HEARTBEAT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Job:
    """`at` in the installation's zone, on the business clock; `run` gets the tick and answers a line for the row."""

    name: str
    at: time
    run: Callable[[datetime], Awaitable[str]]


class Jobs:
    """Runs the jobs one after the other: scores before the care run that reads them."""

    def __init__(
        self, owner: str, jobs: list[Job], zone: str, doorbell: Doorbell, waker: Waker, seconds: float
    ) -> None:
        self._owner = owner
        self._jobs: Mapping[str, Job] = {job.name: job for job in jobs}
        self._zone = ZoneInfo(zone)
        self._doorbell = doorbell
        self._waker = waker
        self._seconds = seconds

    async def run(self) -> None:
        """Until cancelled. A job that is cancelled in the middle is wanted again."""
        while True:
            await step("due jobs", self._want_due, None)
            tick = await step("take job", lambda: cron.take(self._owner, self._jobs), None)
            if tick is None:
                await self._doorbell.wait(JOBS, self._seconds)
                continue
            await self._run(tick)
            self._doorbell.ring(DELIVER)

    async def _want_due(self) -> None:
        now = (await business_now()).astimezone(self._zone)
        for job in self._jobs.values():
            if await cron.want_due(job.name, newest_tick(now, job.at)):
                await self._waker.wake(job.name, [])

    async def _run(self, tick: cron.Tick) -> None:
        log.info("job %s of %s begins", tick.job, tick.tick.date())
        heart = asyncio.create_task(self._beat(tick), name=f"heartbeat-{tick.job}")
        state, detail = cron.FAILED, ""
        try:
            detail = await self._jobs[tick.job].run(tick.tick)
            state = cron.DONE
        except asyncio.CancelledError:
            state = cron.WANTED
            raise
        except AWAY as failure:
            state, detail = cron.WANTED, type(failure).__name__  # the database was away: again, later
        except Exception as failure:  # one job's fault must not stop the deliveries
            detail = type(failure).__name__
            log.exception("job %s failed", tick.job)
        finally:
            heart.cancel()
            final, said = state, detail
            await asyncio.shield(step("finish job", lambda: cron.finish(self._owner, tick, final, said), None))
        log.info("job %s of %s: %s %s", tick.job, tick.tick.date(), state, detail)
        if state == cron.WANTED:
            await asyncio.sleep(self._seconds)

    async def _beat(self, tick: cron.Tick) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await step("heartbeat", lambda: cron.keep(self._owner, tick), False)


def newest_tick(now: datetime, at: time) -> datetime:
    """The last moment at which a daily job was due; `now` in the job's zone."""
    today = datetime.combine(now.date(), at, now.tzinfo)
    return today if today <= now else datetime.combine(now.date() - timedelta(days=1), at, now.tzinfo)
