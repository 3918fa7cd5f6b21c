"""Cancellations: messages that must not leave any more stop where they wait; what may have left is not taken back."""

from uuid import UUID

from domain.database import connection
from domain.gateway.messages import announce_members
from domain.gateway.slots import give_back_slots

ABOUT = """
WITH doomed AS (
    SELECT m.id, m.state, m.slot_window
    FROM messages m JOIN decisions d ON d.id = m.decision_id
    WHERE m.member_id IN (SELECT id FROM members WHERE household_id = $1) AND m.state IN ('PLANNED', 'HELD', 'QUEUED')
        AND (m.baby_id = $2 OR (m.baby_id IS NULL AND (d.snapshot ->> 'is_about_babies')::bool))
    ORDER BY m.id
    FOR UPDATE OF m
), moved AS (
    UPDATE messages m
    SET state = CASE WHEN m.unknown_since IS NULL THEN 'CANCELLED' ELSE 'UNKNOWN' END, state_reason = $3,
        state_at = clock_timestamp(), slot_window = CASE WHEN m.unknown_since IS NOT NULL THEN m.slot_window END,
        next_attempt_at = CASE WHEN m.unknown_since IS NOT NULL THEN clock_timestamp() + interval '10 minutes' END
    FROM doomed
    WHERE m.id = doomed.id
    RETURNING m.id, m.member_id, m.attempt, m.state, doomed.state AS was,
        CASE WHEN m.unknown_since IS NULL THEN doomed.slot_window END AS free_slot
), told AS (
    INSERT INTO message_events (message_id, from_state, to_state, cause, attempt)
    SELECT id, was, state, $3, attempt FROM moved
)
SELECT member_id, state, free_slot FROM moved
"""


async def cancel_about(household_id: UUID, baby_id: UUID, cause: str) -> int:
    """Cancel what waits about the baby, and about babies in general, for every carer; answers how many.

    Part of the caller's transaction. What is being sent at this moment is no longer ours; a message that may have left
    before becomes unknown and is never posted again, because whoever claims it decides anew.
    """
    rows = await connection().execute_query_dict(ABOUT, [household_id, baby_id, cause])
    await give_back_slots((row["member_id"], row["free_slot"]) for row in rows if row["free_slot"])
    await announce_members({row["member_id"] for row in rows})
    return sum(row["state"] == "CANCELLED" for row in rows)
