"""Two clocks. The business clock carries an offset (zero in production); the real clock is the machine's.

Stages, as-of, care, quiet hours, caps, expiry of messages and promises read the business clock; leases, retries,
time-outs, sessions, tokens, rate limits and audit read the real one. No function takes both.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from tortoise import fields
from tortoise.models import Model

from domain.database import connection


class ClockOffset(Model):
    """The single row that says how far the business clock is from the real one."""

    name = fields.CharField(max_length=16, primary_key=True)  # business
    offset_us = fields.BigIntField(default=0)  # microseconds, negative = in the past

    class Meta:
        table = "clock_offsets"


def real_now() -> datetime:
    """The machine's clock: aware UTC."""
    return datetime.now(UTC)


async def business_offset() -> timedelta:
    """How far the business clock is from the real one; zero when the row is missing."""
    rows = await connection().execute_query_dict("SELECT offset_us FROM clock_offsets WHERE name = 'business'")
    return timedelta(microseconds=rows[0]["offset_us"]) if rows else timedelta()


async def business_now() -> datetime:
    """The business clock: aware UTC, runs at real speed from where it was set. In SQL: `business_now()`."""
    return real_now() + await business_offset()


def local_day(moment: datetime, zone: str | tzinfo) -> date:
    """The date that a moment has where people live by the zone's clocks (IANA)."""
    return moment.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone).date()


async def business_day(zone: str) -> date:
    """The business date in a zone: in the installation's it is the house's day, in a member's hers."""
    return local_day(await business_now(), zone)


def business_day_sql(zone: str) -> str:
    """`business_day` inside a statement, which reads it once; `zone` is SQL of a text."""
    return f"(SELECT (business_now() AT TIME ZONE {zone})::date)"


async def set_business_clock(moment: datetime) -> None:
    """From now on the business clock reads `moment` and runs at real speed. Idempotent but for the time it takes."""
    offset = moment - real_now()
    await connection().execute_query(
        "INSERT INTO clock_offsets (name, offset_us) VALUES ('business', $1) "
        "ON CONFLICT (name) DO UPDATE SET offset_us = $1",
        [offset // timedelta(microseconds=1)],
    )


async def advance_business_clock(by: timedelta) -> None:
    """The business clock jumps by `by` in one statement; two of them at once add up."""
    await connection().execute_query(
        "INSERT INTO clock_offsets (name, offset_us) VALUES ('business', $1) "
        "ON CONFLICT (name) DO UPDATE SET offset_us = clock_offsets.offset_us + $1",
        [by // timedelta(microseconds=1)],
    )
