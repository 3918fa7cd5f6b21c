"""Audit: who read or did what, by ids. Append only."""

from typing import Any

from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.models import Model


class AuditEntry(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    at = fields.DatetimeField(auto_now_add=True)  # real clock
    actor_id = fields.UUIDField(null=True)
    actor_role = fields.CharField(max_length=16)
    action = fields.CharField(max_length=64)  # read_babies, read_member_by_phone, open_member_token, token_created, ...
    operation_hash = fields.CharField(max_length=64, null=True)
    member_ids = ArrayField(element_type="uuid", default=list)
    detail: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "audit_entries"
