"""Dispositions: what each outcome of a call makes of the task. Pure: values in, a plan out."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.care.callbacks import Disposition
from domain.platform.sources import Channel, Purpose

NO_ANSWER_BACKOFF = (timedelta(hours=4), timedelta(days=1), timedelta(days=2))  # business time, by attempt
BUSY_BACKOFF = (timedelta(minutes=30), timedelta(hours=2), timedelta(days=1))
CALLING_HOURS = (time(9), time(20))  # her local time; a retry that falls outside waits for the morning
FURTHEST_PROMISE = timedelta(days=90)
PROMISE_WINDOW = timedelta(days=2)  # how long after its time a promised call may still be made
PROMISE_PRIORITY = 1_000_000.0  # a promise goes before anything that a model wishes


class NextStep(StrEnum):
    """What the disposition made of the task."""

    CLOSE = "CLOSE"
    RETRY = "RETRY"
    ATTEMPTS_SPENT = "ATTEMPTS_SPENT"  # closed: that was the last attempt
    TIME_SPENT = "TIME_SPENT"  # closed: the next attempt would come after the task's end
    PROMISE = "PROMISE"  # closed, and a new task waits at the promised time
    NUMBER_SUPPRESSED = "NUMBER_SUPPRESSED"  # closed; nobody will reach that number through us again
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"  # closed; no more calls for this purpose
    DO_NOT_CALL = "DO_NOT_CALL"  # closed; no more calls at all, to her or to that number


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the outcome changes. `retry_at` and `promise_at` are on the business clock."""

    next_step: NextStep
    retry_at: datetime | None = None
    promise_at: datetime | None = None
    suppress: tuple[Channel, ...] = ()
    withdraw: tuple[Purpose, ...] = ()


def plan(
    disposition: Disposition,
    *,
    attempt: int,
    max_attempts: int,
    purpose: Purpose,
    now: datetime,
    expires_at: datetime,
    zone: str,
    call_later_at: datetime | None,
) -> Plan:
    """The plan for the `attempt`th call (from 1). `call_later_at` makes a promise of any call that reached her."""
    match disposition:
        case Disposition.NO_ANSWER:
            return _retry(NO_ANSWER_BACKOFF, attempt, max_attempts, now, expires_at, zone)
        case Disposition.BUSY:
            return _retry(BUSY_BACKOFF, attempt, max_attempts, now, expires_at, zone)
        case Disposition.WRONG_NUMBER:
            return Plan(NextStep.NUMBER_SUPPRESSED, suppress=(Channel.CALL, Channel.SMS))
        case Disposition.REFUSED:
            return Plan(NextStep.CONSENT_WITHDRAWN, withdraw=(purpose,))
        case Disposition.DO_NOT_CALL:
            return Plan(NextStep.DO_NOT_CALL, suppress=(Channel.CALL,), withdraw=tuple(Purpose))
        case Disposition.REACHED | Disposition.CALL_LATER:
            return Plan(NextStep.PROMISE if call_later_at else NextStep.CLOSE, promise_at=call_later_at)


def wrong_time(disposition: Disposition, call_later_at: datetime | None, now: datetime) -> tuple[str, str] | None:
    """What is wrong with the promised time, in both languages; nothing when it fits the disposition."""
    if call_later_at is None:
        missing = ("Say when to call.", "请填写再次致电的时间。")
        return missing if disposition is Disposition.CALL_LATER else None
    if disposition not in (Disposition.CALL_LATER, Disposition.REACHED):
        return "Only a call that reached her can promise another.", "只有接通的电话才能约定再次致电。"
    if call_later_at <= now:
        return "The promised time has passed.", "约定的时间已过。"
    if call_later_at > now + FURTHEST_PROMISE:
        days = FURTHEST_PROMISE.days
        return f"A promise is at most {days} days ahead.", f"约定时间最多在{days}天以内。"
    return None


def into_calling_hours(at: datetime, zone: str) -> datetime:
    """`at`, or the next moment inside CALLING_HOURS of the zone when it is outside. Aware UTC."""
    local = at.astimezone(ZoneInfo(zone))
    opens, closes = CALLING_HOURS
    if opens <= local.time() < closes:
        return at
    day = local.date() if local.time() < opens else local.date() + timedelta(days=1)
    return datetime.combine(day, opens, ZoneInfo(zone)).astimezone(UTC)


def _retry(
    backoff: tuple[timedelta, ...], attempt: int, max_attempts: int, now: datetime, expires_at: datetime, zone: str
) -> Plan:
    if attempt >= max_attempts:
        return Plan(NextStep.ATTEMPTS_SPENT)
    retry_at = into_calling_hours(now + backoff[min(attempt, len(backoff)) - 1], zone)
    return Plan(NextStep.RETRY, retry_at=retry_at) if retry_at < expires_at else Plan(NextStep.TIME_SPENT)
