"""Indexes for what would scan a large table: erasing a baby, and the catalogue by class or by its source's id."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("nestling", "0008_closed_calls")]

    operations = [
        ops.RunSQL(
            "CREATE INDEX interactions_baby_idx ON interactions (baby_id) WHERE baby_id IS NOT NULL; "
            "CREATE INDEX callback_tasks_baby_idx ON callback_tasks (baby_id) WHERE baby_id IS NOT NULL; "
            "CREATE INDEX messages_baby_idx ON messages (baby_id) WHERE baby_id IS NOT NULL; "
            "CREATE INDEX products_baby_class_idx ON products (baby_class, id); "
            "CREATE INDEX products_external_idx ON products (external_id)",
            reverse_sql="DROP INDEX products_external_idx; DROP INDEX products_baby_class_idx; "
            "DROP INDEX messages_baby_idx; DROP INDEX callback_tasks_baby_idx; DROP INDEX interactions_baby_idx",
        ),
    ]
