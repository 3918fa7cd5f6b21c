"""Attempts: what a channel answered, made into the message's next state by one transaction for many."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.gateway.delivery import Accepted, Outcome, Rejected, Traits, Unavailable, Unknown
from domain.gateway.hearing import apply_waiting
from domain.gateway.messages import MessageState, announce_members, to_json
from domain.gateway.slots import give_back_slots
from domain.sql import statement

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=15)
MAX_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class NotPosted:
    """The worker did not post: too late, too little lease left, or stopping."""

    cause: str
    is_expired: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One claimed message and what came of it. `may_have_left`: an earlier attempt is still unknown."""

    message_id: UUID
    number: int
    may_have_left: bool
    outcome: Outcome | NotPosted


@dataclass(frozen=True, slots=True)
class Recorded:
    """An attempt as it was written: the message's state after it, and why."""

    message_id: UUID
    attempt: int
    state: MessageState
    code: str


def backoff(attempt: int, asked_for: timedelta | None = None) -> timedelta:
    """Full jitter: anything up to a ceiling that doubles with each attempt.

    A provider that names its own wait is believed: that long, and up to as long again, so that not all come at once.
    """
    jitter = random.random()  # noqa: S311 - spreads load, guards nothing
    if asked_for is not None:
        return min(asked_for + max(asked_for, FIRST_WAIT) * jitter, LONGEST_WAIT)
    return min(FIRST_WAIT * (1 << min(attempt, 20)), LONGEST_WAIT) * jitter


async def record_attempts(owner: str, attempts: Sequence[Attempt], traits: Traits) -> list[Recorded]:
    """Write results where `owner` still holds that attempt; a result that comes after its lease changes nothing.

    Idempotent. Receipts that came before the answer are applied in the same transaction. Answers what was written.
    """
    async with in_transaction():
        rows = await connection().execute_query_dict(
            statement("record_attempts"), [owner, to_json([_result(attempt, traits) for attempt in attempts])]
        )
        await give_back_slots((row["member_id"], row["slot_window"]) for row in rows if row["slot_window"])
        await apply_waiting([row["id"] for row in rows])
        await announce_members({row["member_id"] for row in rows})
    return [Recorded(row["id"], row["attempt"], MessageState(row["state"]), row["cause"]) for row in rows]


def _result(attempt: Attempt, traits: Traits) -> dict[str, Any]:
    state, cause, wait = _after(attempt, traits)
    is_unsent_for_good = state in {MessageState.FAILED, MessageState.EXPIRED, MessageState.DEAD}
    outcome = attempt.outcome
    return {
        "id": attempt.message_id,
        "attempt": attempt.number,
        "state": state,
        "cause": cause,
        "provider_ref": outcome.provider_ref if isinstance(outcome, Accepted) else None,
        "wait_seconds": None if wait is None else wait.total_seconds(),
        "is_sent": isinstance(outcome, Accepted),
        "is_settled": isinstance(outcome, Accepted | Rejected),
        "gives_slot_back": is_unsent_for_good and not attempt.may_have_left,
    }


def _after(attempt: Attempt, traits: Traits) -> tuple[MessageState, str, timedelta | None]:
    """The state, its cause, and how long until somebody looks again. What may have left never becomes unsent again."""
    outcome = attempt.outcome
    match outcome:
        case Accepted():
            return MessageState.ACCEPTED, "ACCEPTED", None
        case Rejected():
            return MessageState.FAILED, outcome.code, None
        case Unknown():
            return MessageState.UNKNOWN, outcome.code, traits.settle_time
        case Unavailable():
            wait = backoff(attempt.number, outcome.retry_after)
            if attempt.may_have_left:
                return MessageState.UNKNOWN, outcome.code, max(wait, traits.settle_time)
            if attempt.number >= MAX_ATTEMPTS:
                return MessageState.DEAD, outcome.code, None
            return MessageState.QUEUED, outcome.code, wait
        case NotPosted(cause, is_expired):
            if attempt.may_have_left:
                return MessageState.UNKNOWN, cause, traits.settle_time
            return (MessageState.EXPIRED if is_expired else MessageState.QUEUED), cause, None
