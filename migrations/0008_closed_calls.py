"""Calls by when they ended: the desk says of a week what became of those that are not on the list any more."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("nestling", "0007_merchandise")]

    operations = [
        ops.RunSQL(
            "CREATE INDEX callback_tasks_closed_idx ON callback_tasks (closed_at) WHERE closed_at IS NOT NULL",
            reverse_sql="DROP INDEX callback_tasks_closed_idx",
        ),
    ]
