"""The outbox: the line that starts asynchronous work, written in the transaction that wants it."""

from tortoise import fields
from tortoise.models import Model


class OutboxEntry(Model):
    """Claimed with SKIP LOCKED and deleted when its work is done; carries an id, never a person's data."""

    id = fields.BigIntField(primary_key=True, generated=True)
    kind = fields.CharField(max_length=32)  # deliver, ...
    ref_id = fields.UUIDField()
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "outbox"
