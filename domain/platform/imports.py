"""Imports: what came in, what landed, and the rows that wait with a reason."""

from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.ids import new_id


class Import(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    kind = fields.CharField(max_length=32)  # members, orders, completejourney
    source = fields.CharField(max_length=64)
    file_name = fields.CharField(max_length=400)
    file_hash = fields.CharField(max_length=64)
    state = fields.CharField(max_length=16)  # RUNNING, DONE, FAILED
    counts: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # read, landed, repeated, waiting
    started_at = fields.DatetimeField(auto_now_add=True)  # real clock
    finished_at = fields.DatetimeField(null=True)  # real clock

    class Meta:
        table = "imports"


class ImportIssue(Model):
    """A row that waits: what is wrong, where, and how to mend it; the raw row is kept so that nothing is lost."""

    id = fields.BigIntField(primary_key=True, generated=True)
    batch: fields.ForeignKeyRelation["Import"] = fields.ForeignKeyField(
        "nestling.Import", related_name="issues", on_delete=fields.CASCADE
    )
    batch_id: UUID
    row_no = fields.IntField()
    column_name = fields.CharField(max_length=100, default="")
    code = fields.CharField(max_length=64)
    message = fields.CharField(max_length=400)
    row_data: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    resolved_at = fields.DatetimeField(null=True)  # real clock

    class Meta:
        table = "import_issues"
