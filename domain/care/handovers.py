"""Handovers: a CALL message becomes a call-back task, once, with everything that the consultant needs."""

from uuid import UUID

from domain.database import connection
from domain.platform.changes import CALLBACK_LIST, announce
from domain.platform.ids import new_id

OPEN = """
INSERT INTO callback_tasks (
    id, member_id, baby_id, kind, purpose, intent_key, message_id, reason_code, reason, talking_points, priority,
    owner_id, store_id, not_before, expires_at, decision_id, created_at
)
SELECT
    $2, m.id, g.baby_id, c ->> 'kind', g.purpose, g.intent_key, g.id, c ->> 'reason_code', c -> 'reason',
    c -> 'talking_points', (c ->> 'priority')::float8, m.owner_id, m.store_id, g.not_before, g.expires_at,
    g.decision_id, business_now()
FROM messages g JOIN members m ON m.id = g.member_id, LATERAL (SELECT g.params -> 'call' AS c) call
WHERE g.id = $1 AND g.channel = 'CALL' AND c IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING id
"""


async def open_from_message(message_id: UUID) -> UUID | None:
    """The task of a CALL message: made now, or the one that an earlier attempt made. None when it carries no call.

    Idempotent on the message, so handing over twice is one task. The member's owner goes first, then her store.
    """
    made = await connection().execute_query_dict(OPEN, [message_id, new_id()])
    if made:
        await announce(CALLBACK_LIST, made[0]["id"])
        return UUID(str(made[0]["id"]))
    known = await connection().execute_query_dict("SELECT id FROM callback_tasks WHERE message_id = $1", [message_id])
    return UUID(str(known[0]["id"])) if known else None
