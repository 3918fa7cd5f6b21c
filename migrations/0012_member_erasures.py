"""Erasures: who asked for one and what went, and the keyed hashes that keep the erased from coming back by a file."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from domain.people.erasures import ErasureReason
from domain.platform.ids import new_id


class Migration(migrations.Migration):
    dependencies = [("nestling", "0011_merges")]

    operations = [
        ops.CreateModel(
            name="Erasure",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "member",
                    fields.ForeignKeyField(
                        "nestling.Member",
                        source_field="member_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="erasures",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("actor_id", fields.UUIDField()),
                ("actor_role", fields.CharField(max_length=16)),
                ("reason", fields.CharEnumField(enum_type=ErasureReason, max_length=16)),
                ("reference", fields.CharField(default="", max_length=40)),
                ("key_hash", fields.CharField(max_length=64)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("erased_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("looked_again_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("counts", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "erasures",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "That somebody was to be erased, who asked for it, and what went. Who she was it does not say.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ErasedIdentity",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("identity_hash", fields.CharField(unique=True, max_length=64)),
                ("erased_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "erasure",
                    fields.ForeignKeyField(
                        "nestling.Erasure",
                        source_field="erasure_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="identities",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            options={"table": "erased_identities", "app": "nestling", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddConstraint(
            "Erasure",
            CheckConstraint(
                name="erasures_reason_known",
                check="reason IN ('MEMBER_ASKED', 'GUARDIAN_ASKED', 'RETENTION_OVER', 'NOT_A_PERSON', 'LAW')",
            ),
        ),
        ops.AddConstraint(
            "Erasure",
            CheckConstraint(
                name="erasures_look_again_after", check="looked_again_at IS NULL OR looked_again_at >= erased_at"
            ),
        ),
        ops.RunSQL(
            "CREATE INDEX erasures_member_idx ON erasures (member_id); "
            "CREATE INDEX erasures_behind_idx ON erasures (erased_at) "
            "WHERE erased_at IS NOT NULL AND looked_again_at IS NULL; "
            "CREATE INDEX erased_identities_erasure_idx ON erased_identities (erasure_id)",
            reverse_sql="DROP INDEX erased_identities_erasure_idx; DROP INDEX erasures_behind_idx; "
            "DROP INDEX erasures_member_idx",
        ),
    ]
