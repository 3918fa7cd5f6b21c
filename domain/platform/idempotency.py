"""Idempotency: same key and body, same answer; other body, an error; still running, a conflict."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class IdempotencyKey(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    actor_id = fields.UUIDField()
    key = fields.CharField(max_length=200)
    operation = fields.CharField(max_length=100)
    request_hash = fields.CharField(max_length=64)
    answer: fields.JSONField[dict[str, Any] | None] = fields.JSONField(
        null=True
    )  # type name and keys; null while running
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "idempotency_keys"
        unique_together = (("actor_id", "key"),)
