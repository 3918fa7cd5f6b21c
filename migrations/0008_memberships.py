"""Memberships are derived, by set, and a refresh pays for every index and reference: one index is left."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("nestling", "0007_duplicates")]

    operations = [
        ops.AlterModelOptions(
            name="SegmentMember",
            options={
                "table": "segment_members",
                "app": "nestling",
                "unique_together": (("segment", "member_id"),),
                "pk_attr": "id",
                "table_description": "Who is in a segment now. Derived, by set: a row's key is (segment, member), and its one index is on that.",
            },
        ),
        ops.AlterField(
            model_name="SegmentMember",
            name="segment",
            field=fields.ForeignKeyField(
                "nestling.Segment",
                source_field="segment_id",
                db_constraint=False,
                to_field="id",
                related_name="members",
                on_delete=OnDelete.CASCADE,
            ),
        ),
        ops.RunSQL(
            "DROP INDEX segment_members_member_idx",
            reverse_sql="CREATE INDEX segment_members_member_idx ON segment_members (member_id)",
        ),
    ]  # fmt: skip
