"""Demo steps: what `nestling demo` has finished, so that a second run repeats nothing."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class DemoStep(Model):
    name = fields.CharField(max_length=64, primary_key=True)
    finished_at = fields.DatetimeField(auto_now_add=True)  # real clock
    detail: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "demo_steps"
