"""Cancellations: messages that must not leave any more stop where they wait; what may have left is not taken back."""

from collections.abc import Sequence
from uuid import UUID

from domain.database import connection
from domain.gateway.messages import announce_members
from domain.gateway.slots import give_back_slots

WAITING = """
WITH doomed AS (
    SELECT m.id, m.state, m.slot_window
    FROM messages m JOIN decisions d ON d.id = m.decision_id
    WHERE m.state IN ('PLANNED', 'HELD', 'QUEUED') AND {whose}
    ORDER BY m.id
    FOR UPDATE OF m
), moved AS (
    UPDATE messages m
    SET state = CASE WHEN m.unknown_since IS NULL THEN 'CANCELLED' ELSE 'UNKNOWN' END, state_reason = $1,
        state_at = clock_timestamp(), slot_window = CASE WHEN m.unknown_since IS NOT NULL THEN m.slot_window END,
        next_attempt_at = CASE WHEN m.unknown_since IS NOT NULL THEN clock_timestamp() + interval '10 minutes' END
    FROM doomed
    WHERE m.id = doomed.id
    RETURNING m.id, m.member_id, m.attempt, m.state, doomed.state AS was,
        CASE WHEN m.unknown_since IS NULL THEN doomed.slot_window END AS free_slot
), told AS (
    INSERT INTO message_events (message_id, from_state, to_state, cause, attempt)
    SELECT id, was, state, $1, attempt FROM moved
)
SELECT member_id, state, free_slot FROM moved
"""
ABOUT = WAITING.format(
    whose="m.member_id IN (SELECT id FROM members WHERE household_id = $2) "
    "AND (m.baby_id = $3 OR (m.baby_id IS NULL AND (d.snapshot ->> 'is_about_babies')::bool))"
)
TO_MEMBERS = WAITING.format(whose="m.member_id = ANY($2::uuid[])")


async def cancel_about(household_id: UUID, baby_id: UUID, cause: str) -> int:
    """Cancel what waits about the baby, and about babies in general, for every carer; answers how many.

    Part of the caller's transaction. What is being sent at this moment is no longer ours; a message that may have left
    before becomes unknown and is never posted again, because whoever claims it decides anew.
    """
    return await _cancel(ABOUT, [cause, household_id, baby_id])


async def cancel_to(member_ids: Sequence[UUID], cause: str) -> int:
    """Cancel all that waits to leave to these members, as `cancel_about` does; answers how many."""
    return await _cancel(TO_MEMBERS, [cause, list(member_ids)])


async def _cancel(statement: str, values: list[object]) -> int:
    rows = await connection().execute_query_dict(statement, values)
    await give_back_slots((row["member_id"], row["free_slot"]) for row in rows if row["free_slot"])
    await announce_members({row["member_id"] for row in rows})
    return sum(row["state"] == "CANCELLED" for row in rows)
