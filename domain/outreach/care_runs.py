"""Care runs: one a business day; each gives every member at most what she should get."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from domain.platform.ids import new_id


class CareRun(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    run_on = fields.DateField(unique=True)  # business date
    started_at = fields.DatetimeField()  # real clock
    finished_at = fields.DatetimeField(null=True)  # real clock
    # eligible = sent + held + suppressed, by channel and reason
    counts: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "care_runs"
