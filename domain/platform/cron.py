"""Cron ticks: a job runs at most once a tick because the row is unique, whatever the number of workers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model

from domain.database import connection


class CronTick(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    job = fields.CharField(max_length=64)
    tick = fields.DatetimeField()  # business clock for daily care, real clock for housekeeping: the job says which
    state = fields.CharField(max_length=16)  # WANTED, RUNNING, DONE, FAILED, SKIPPED
    lease_owner = fields.CharField(max_length=64, null=True)
    lease_until = fields.DatetimeField(null=True)  # real clock
    started_at = fields.DatetimeField(auto_now_add=True)  # real clock
    finished_at = fields.DatetimeField(null=True)  # real clock
    detail = fields.CharField(max_length=400, default="")

    class Meta:
        table = "cron_ticks"
        unique_together = (("job", "tick"),)


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick that this worker runs now."""

    id: int
    job: str
    tick: datetime


LEASE = timedelta(seconds=45)
"""A runner that is not heard of for so long is gone, and its tick is taken by another."""

WANTED, RUNNING, DONE, FAILED, SKIPPED = "WANTED", "RUNNING", "DONE", "FAILED", "SKIPPED"


async def want(job: str, tick: datetime) -> int | None:
    """Ask for one run of a job at this tick; answers the tick's id, or None when that tick is known already."""
    rows = await connection().execute_query_dict(
        "INSERT INTO cron_ticks (job, tick, state) VALUES ($1, $2, $3) ON CONFLICT (job, tick) DO NOTHING RETURNING id",
        [job, tick, WANTED],
    )
    return rows[0]["id"] if rows else None


async def want_due(job: str, tick: datetime) -> bool:
    """Make the newest due tick of a daily job wanted, once. True when it is new.

    Catch-up: only the newest tick; and before a job's very first tick nothing is made up for, so its row is SKIPPED.
    """
    rows = await connection().execute_query_dict(
        "INSERT INTO cron_ticks (job, tick, state) "
        "SELECT $1::text, $2::timestamptz, "
        "CASE WHEN EXISTS (SELECT 1 FROM cron_ticks WHERE job = $1::text) THEN $3::text ELSE $4::text END "
        "ON CONFLICT (job, tick) DO NOTHING RETURNING state",
        [job, tick, WANTED, SKIPPED],
    )
    return bool(rows) and rows[0]["state"] == WANTED


async def take(owner: str, jobs: Collection[str]) -> Tick | None:
    """The oldest tick that is left, leased to `owner`, if nobody runs it. Any number of workers may ask.

    One after the other across all workers: while the oldest one runs the younger ones wait, because the care run
    reads what scoring wrote. A tick whose runner is gone is taken by whoever asks next.
    """
    rows = await connection().execute_query_dict(
        "UPDATE cron_ticks SET state = 'RUNNING', lease_owner = $1, lease_until = clock_timestamp() + $2::interval, "
        "started_at = clock_timestamp() WHERE id = (SELECT id FROM cron_ticks WHERE job = ANY($3::text[]) "
        "AND state IN ('WANTED', 'RUNNING') ORDER BY tick, id LIMIT 1 FOR UPDATE) "
        "AND (state = 'WANTED' OR lease_until < clock_timestamp()) RETURNING id, job, tick",
        [owner, LEASE, list(jobs)],
    )
    return Tick(rows[0]["id"], rows[0]["job"], rows[0]["tick"]) if rows else None


async def keep(owner: str, tick: Tick) -> bool:
    """Prolong the lease; False when it was lost."""
    count, _ = await connection().execute_query(
        "UPDATE cron_ticks SET lease_until = clock_timestamp() + $3::interval "
        "WHERE id = $1 AND lease_owner = $2 AND state = 'RUNNING'",
        [tick.id, owner, LEASE],
    )
    return bool(count)


async def finish(owner: str, tick: Tick, state: str, detail: str = "") -> None:
    """Write how it ended, if `owner` still holds it. WANTED gives it back to be run again."""
    await connection().execute_query(
        "UPDATE cron_ticks SET state = $3, detail = $4, finished_at = clock_timestamp(), lease_owner = NULL, "
        "lease_until = NULL WHERE id = $1 AND lease_owner = $2 AND state = 'RUNNING'",
        [tick.id, owner, state, detail[:400]],
    )
