"""Losses: that content about a baby was stopped, by whom, and what was withdrawn. One stands at a time."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from domain.platform.ids import new_id
from domain.platform.sources import Source


class Migration(migrations.Migration):
    dependencies = [("nestling", "0009_erasures")]

    operations = [
        ops.CreateModel(
            name="Loss",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "baby",
                    fields.ForeignKeyField(
                        "nestling.Baby",
                        source_field="baby_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="losses",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("said_by", fields.CharEnumField(enum_type=Source, max_length=16)),
                ("actor_id", fields.UUIDField()),
                ("actor_role", fields.CharField(max_length=16)),
                ("stopped_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("withdrawn", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("reopened_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("reopened_by", fields.UUIDField(null=True)),
                ("reopen_reason", fields.CharField(null=True, max_length=400)),
            ],
            options={
                "table": "losses",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "That content about a baby was stopped, by whom, and what was withdrawn. Why is never asked.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Loss",
            CheckConstraint(
                name="losses_said_by_known",
                check="said_by IN ('MEMBER', 'STAFF', 'RULE', 'MODEL', 'IMPORT', 'INFERRED', 'SYNTHETIC')",
            ),
        ),
        ops.AddConstraint(
            "Loss",
            CheckConstraint(
                name="losses_are_reopened_by_somebody_for_a_reason",
                check="num_nulls(reopened_at, reopened_by, reopen_reason) IN (0, 3)",
            ),
        ),
        ops.RunSQL(
            "CREATE UNIQUE INDEX losses_standing_idx ON losses (baby_id) WHERE reopened_at IS NULL; "
            "CREATE INDEX losses_baby_idx ON losses (baby_id)",
            reverse_sql="DROP INDEX losses_baby_idx; DROP INDEX losses_standing_idx",
        ),
    ]
