"""Guardian consents: what a parent allows of a child's health data, apart from consents to contact."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from domain.people.consents import ConsentState
from domain.platform.ids import new_id
from domain.platform.sources import Source


class Migration(migrations.Migration):
    dependencies = [("nestling", "0014_consents_in_force")]

    operations = [
        ops.CreateModel(
            name="GuardianConsent",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "baby",
                    fields.ForeignKeyField(
                        "nestling.Baby",
                        source_field="baby_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="guardian_consents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "member",
                    fields.ForeignKeyField(
                        "nestling.Member",
                        source_field="member_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="guardian_consents",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("state", fields.CharEnumField(enum_type=ConsentState, max_length=16)),
                ("given_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("source", fields.CharEnumField(enum_type=Source, max_length=16)),
                ("how", fields.CharField(max_length=64)),
                ("text_version", fields.CharField(max_length=64)),
                ("text_hash", fields.CharField(max_length=64)),
                (
                    "store",
                    fields.ForeignKeyField(
                        "nestling.Store",
                        source_field="store_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="guardian_consents",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("recorded_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "guardian_consents",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "What a guardian allowed or withdrew about a child's health data. The latest word of any guardian counts.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "GuardianConsent",
            CheckConstraint(name="guardian_consents_state_known", check="state IN ('GRANTED', 'WITHDRAWN')"),
        ),
        ops.AddConstraint(
            "GuardianConsent",
            CheckConstraint(
                name="guardian_consents_source_known",
                check="source IN ('MEMBER', 'STAFF', 'RULE', 'MODEL', 'IMPORT', 'INFERRED', 'SYNTHETIC')",
            ),
        ),
        ops.RunSQL(
            "CREATE INDEX guardian_consents_baby_idx ON guardian_consents (baby_id, given_at DESC, id DESC); "
            "CREATE INDEX guardian_consents_member_idx ON guardian_consents (member_id); "
            "CREATE TRIGGER guardian_consents_follow_merged_members AFTER INSERT ON guardian_consents "
            "REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION follow_merged_members()",
            reverse_sql="DROP TRIGGER guardian_consents_follow_merged_members ON guardian_consents; DROP INDEX guardian_consents_member_idx; DROP INDEX guardian_consents_baby_idx",
        ),
    ]
