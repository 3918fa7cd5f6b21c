"""The outbox: the line that starts asynchronous work, written in the transaction that wants it."""

from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.database import connection


class OutboxEntry(Model):
    """Claimed with SKIP LOCKED and deleted when its work is done; carries an id, never a person's data."""

    id = fields.BigIntField(primary_key=True, generated=True)
    kind = fields.CharField(max_length=32)  # deliver, ...
    ref_id = fields.UUIDField()
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "outbox"


async def relay_messages(limit: int = 500) -> list[UUID]:
    """Queue the messages that verbs have put into the outbox, and take their lines out, in one statement.

    Safe with any number of relays at once: a line is taken by one of them. Answers the messages, oldest line first.
    """
    rows = await connection().execute_query_dict(
        "WITH line AS (DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE kind = 'deliver' ORDER BY id "
        "LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING id, ref_id), "
        "moved AS (UPDATE messages m SET state = 'QUEUED', state_at = clock_timestamp() FROM line "
        "WHERE m.id = line.ref_id AND m.state = 'PLANNED' RETURNING m.id, line.id AS line_id), "
        "told AS (INSERT INTO message_events (message_id, from_state, to_state, cause) "
        "SELECT id, 'PLANNED', 'QUEUED', 'RELAYED' FROM moved) "
        "SELECT id FROM moved ORDER BY line_id",
        [limit],
    )
    return [row["id"] for row in rows]
