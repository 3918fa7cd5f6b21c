"""Sweeps: what time alone makes of messages. Each is one statement, safe on any number of workers, idempotent."""

from collections.abc import Mapping
from datetime import timedelta

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.gateway.slots import give_back_slots

UNDO_WINDOW = timedelta(seconds=15)
"""A consultant may take a logged outcome back for ten seconds; only then is it a receipt."""

_EVENT = (
    "INSERT INTO message_events (message_id, from_state, to_state, cause, attempt) "
    "SELECT id, {before}, {after}, {cause}, attempt FROM moved"
)


async def release_lapsed_leases(settle: Mapping[str, timedelta], otherwise: timedelta) -> int:
    """A lease that ran out: its worker is gone, and the message may have left. Settled after its provider's time."""
    rows = await connection().execute_query_dict(
        "WITH moved AS (UPDATE messages m SET state = 'UNKNOWN', state_reason = 'LEASE_LAPSED', "
        "state_at = clock_timestamp(), lease_owner = NULL, lease_until = NULL, "
        "unknown_since = coalesce(unknown_since, clock_timestamp()), "
        "next_attempt_at = clock_timestamp() + coalesce(("
        "SELECT s.wait FROM unnest($1::text[], $2::interval[]) AS s(provider, wait) "
        "WHERE s.provider = m.provider), $3) "
        "WHERE id IN (SELECT id FROM messages WHERE state = 'SENDING' AND lease_until < clock_timestamp() "
        "ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED) RETURNING id, attempt), told AS ("
        + _EVENT.format(before="'SENDING'", after="'UNKNOWN'", cause="'LEASE_LAPSED'")
        + ") SELECT count(*) AS n FROM moved",
        [list(settle), list(settle.values()), otherwise],
    )
    return int(rows[0]["n"])


async def wake_held() -> int:
    """Held messages whose time has come queue up again; they are decided anew at claim."""
    rows = await connection().execute_query_dict(
        "WITH moved AS (UPDATE messages SET state = 'QUEUED', state_reason = 'HOLD_OVER', state_at = clock_timestamp() "
        "WHERE id IN (SELECT id FROM messages WHERE state = 'HELD' AND not_before <= business_now() "
        "ORDER BY not_before LIMIT 1000 FOR UPDATE SKIP LOCKED) RETURNING id, attempt), told AS ("
        + _EVENT.format(before="'HELD'", after="'QUEUED'", cause="'HOLD_OVER'")
        + ") SELECT count(*) AS n FROM moved"
    )
    return int(rows[0]["n"])


async def expire() -> int:
    """Queued and held messages that are too late. What may have left becomes unknown, never expired."""
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "WITH late AS (SELECT id, state, slot_window FROM messages WHERE state IN ('QUEUED', 'HELD') "
            "AND expires_at <= business_now() ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED), "
            "moved AS (UPDATE messages m SET "
            "state = CASE WHEN m.unknown_since IS NULL THEN 'EXPIRED' ELSE 'UNKNOWN' END, state_reason = 'EXPIRED', "
            "state_at = clock_timestamp(), "
            "next_attempt_at = CASE WHEN m.unknown_since IS NOT NULL "
            "THEN clock_timestamp() + interval '10 minutes' END, "
            "slot_window = CASE WHEN m.unknown_since IS NOT NULL THEN m.slot_window END "
            "FROM late WHERE m.id = late.id RETURNING m.id, m.attempt, m.member_id, m.state, late.state AS was, "
            "CASE WHEN m.unknown_since IS NULL THEN late.slot_window END AS slot_window), told AS ("
            + _EVENT.format(before="was", after="state", cause="'EXPIRED'")
            + ") SELECT member_id, slot_window FROM moved"
        )
        await give_back_slots((row["member_id"], row["slot_window"]) for row in rows if row["slot_window"])
    return len(rows)


async def give_unknown_up(patience: timedelta) -> int:
    """No receipt for so long: nobody will ever know. Shown as such, never resent."""
    rows = await connection().execute_query_dict(
        "WITH moved AS (UPDATE messages SET state = 'UNKNOWN_FINAL', state_reason = 'NO_RECEIPT', "
        "state_at = clock_timestamp(), next_attempt_at = NULL "
        "WHERE id IN (SELECT id FROM messages WHERE state = 'UNKNOWN' "
        "AND unknown_since < clock_timestamp() - $1::interval ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, attempt), told AS ("
        + _EVENT.format(before="'UNKNOWN'", after="'UNKNOWN_FINAL'", cause="'NO_RECEIPT'")
        + ") SELECT count(*) AS n FROM moved",
        [patience],
    )
    return int(rows[0]["n"])


async def receive_call_outcomes() -> int:
    """What consultants logged becomes the receipt of its message, once the time to take it back is over.

    Spoken to her in any way is delivered; a wrong number, or a task that closed without reaching her, is undelivered.
    """
    spoken = await connection().execute_query_dict(
        "INSERT INTO receipts (id, provider, event_key, client_ref, kind, detail, occurred_at) "
        "SELECT o.id, 'callback', o.id::text, m.provider_key, "
        "CASE WHEN o.disposition IN ('REACHED', 'CALL_LATER', 'REFUSED', 'DO_NOT_CALL') THEN 'DELIVERED' "
        "ELSE 'UNDELIVERED' END, o.disposition, o.logged_at "
        "FROM messages m JOIN callback_tasks t ON t.message_id = m.id JOIN callback_outcomes o ON o.task_id = t.id "
        "WHERE m.state = 'ACCEPTED' AND m.channel = 'CALL' AND o.undone_at IS NULL "
        "AND o.logged_at < clock_timestamp() - $1::interval "
        "AND (o.disposition NOT IN ('NO_ANSWER', 'BUSY') OR t.state IN ('DONE', 'EXPIRED', 'CANCELLED')) "
        "ON CONFLICT (provider, event_key) DO NOTHING RETURNING id",
        [UNDO_WINDOW],
    )
    closed = await connection().execute_query_dict(
        "INSERT INTO receipts (id, provider, event_key, client_ref, kind, detail, occurred_at) "
        "SELECT t.id, 'callback', t.id::text, m.provider_key, 'UNDELIVERED', t.state, clock_timestamp() "
        "FROM messages m JOIN callback_tasks t ON t.message_id = m.id "
        "WHERE m.state = 'ACCEPTED' AND m.channel = 'CALL' AND t.state IN ('EXPIRED', 'CANCELLED') "
        # An outcome that cancelled her other calls can still be taken back, and they with it.
        "AND NOT EXISTS (SELECT 1 FROM callback_outcomes o JOIN callback_tasks c ON c.id = o.task_id "
        "WHERE c.member_id = t.member_id AND o.undone_at IS NULL AND o.logged_at >= clock_timestamp() - $1::interval) "
        "ON CONFLICT (provider, event_key) DO NOTHING RETURNING id",
        [UNDO_WINDOW],
    )
    return len(spoken) + len(closed)
