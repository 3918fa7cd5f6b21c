"""Settling: how an unknown outcome becomes a known one, without ever guessing.

A look-up that found it: accepted. A look-up that did not, after the settle time: queued again. No look-up, but a
provider that honours our key within its window: posted again under the same key. Else only a receipt can tell; when
none comes in time the message ends as UNKNOWN_FINAL, shown and never resent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.database import connection
from domain.gateway.attempts import MAX_ATTEMPTS, backoff
from domain.gateway.delivery import Accepted, LookUp, NotReceived, Provider, Traits
from domain.platform.changes import MEMBER_TIMELINE
from domain.platform.clock import real_now

LOOK_AGAIN = timedelta(seconds=30)
"""Nobody else takes an unknown message to settle for so long."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    message_id: UUID
    key: UUID
    attempt: int
    unknown_since: datetime  # real clock


async def take_unsettled(provider: str, limit: int) -> list[Unsettled]:
    """Unknown messages whose settle time is over, each to one caller at a time."""
    rows = await connection().execute_query_dict(
        "UPDATE messages SET next_attempt_at = clock_timestamp() + $3 WHERE id IN ("
        "SELECT id FROM messages WHERE state = 'UNKNOWN' AND provider = $1 AND next_attempt_at <= clock_timestamp() "
        "ORDER BY unknown_since LIMIT $2 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, provider_key, attempt, unknown_since",
        [provider, limit, LOOK_AGAIN],
    )
    return [Unsettled(row["id"], row["provider_key"], row["attempt"], row["unknown_since"]) for row in rows]


async def settle(unsettled: Sequence[Unsettled], provider: Provider) -> int:
    """Look each one up and write what that tells. Safe to run twice and beside receipts: a changed message is left."""
    for one in unsettled:
        found: LookUp | None = None
        if provider.traits.can_look_up:
            found = await provider.look_up(one.key)
        await _write(one, found, provider.traits)
    return len(unsettled)


async def _write(one: Unsettled, found: LookUp | None, traits: Traits) -> None:
    if isinstance(found, Accepted):
        await _move(one, "ACCEPTED", "LOOK_UP_FOUND", provider_ref=found.provider_ref, is_settled=True)
    elif isinstance(found, NotReceived):
        await _move(one, "QUEUED", "LOOK_UP_NOT_RECEIVED", is_settled=True)
    elif _may_post_again(one, traits):
        await _move(one, "QUEUED", "KEY_HONOURED", wait=backoff(one.attempt))
    elif traits.can_look_up:
        await _wait(one, traits.settle_time + backoff(one.attempt))
    else:
        await _wait(one, None)  # a receipt, or nothing


def _may_post_again(one: Unsettled, traits: Traits) -> bool:
    """Only while the provider is sure to remember our key, with a settle time to spare."""
    age = real_now() - one.unknown_since
    return traits.honours_keys and one.attempt < MAX_ATTEMPTS and age + traits.settle_time < traits.key_window


async def _move(
    one: Unsettled,
    state: str,
    cause: str,
    *,
    provider_ref: str | None = None,
    is_settled: bool = False,
    wait: timedelta | None = None,
) -> None:
    await connection().execute_query(
        "WITH moved AS (UPDATE messages SET state = $3::text, state_reason = $4::text, state_at = clock_timestamp(), "
        "provider_ref = coalesce($5::text, provider_ref), next_attempt_at = clock_timestamp() + $7::interval, "
        "unknown_since = CASE WHEN $6::bool THEN NULL ELSE unknown_since END, "
        "sent_at = CASE WHEN $3::text = 'ACCEPTED' THEN coalesce(sent_at, business_now()) ELSE sent_at END "
        "WHERE id = $1 AND attempt = $2::int AND state = 'UNKNOWN' RETURNING id, member_id, attempt), "
        "told AS (INSERT INTO message_events (message_id, from_state, to_state, cause, attempt, provider_ref) "
        "SELECT id, 'UNKNOWN', $3::text, $4::text, attempt, $5::text FROM moved) "
        "SELECT pg_notify($8, member_id::text) FROM moved",
        [one.message_id, one.attempt, state, cause, provider_ref, is_settled, wait, MEMBER_TIMELINE],
    )


async def _wait(one: Unsettled, wait: timedelta | None) -> None:
    await connection().execute_query(
        "UPDATE messages SET next_attempt_at = clock_timestamp() + $3::interval "
        "WHERE id = $1 AND attempt = $2::int AND state = 'UNKNOWN'",
        [one.message_id, one.attempt, wait],
    )
