"""Cron ticks: a job runs at most once a tick because the row is unique, whatever the number of workers."""

from tortoise import fields
from tortoise.models import Model


class CronTick(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    job = fields.CharField(max_length=64)
    tick = fields.DatetimeField()  # business clock for daily care, real clock for housekeeping: the job says which
    state = fields.CharField(max_length=16)  # RUNNING, DONE, FAILED
    lease_owner = fields.CharField(max_length=64, null=True)
    lease_until = fields.DatetimeField(null=True)  # real clock
    started_at = fields.DatetimeField(auto_now_add=True)  # real clock
    finished_at = fields.DatetimeField(null=True)  # real clock
    detail = fields.CharField(max_length=400, default="")

    class Meta:
        table = "cron_ticks"
        unique_together = (("job", "tick"),)
