"""Rows of owners that arrive under the id of a member who was merged away follow her, as the tables of 0011 do."""

from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("nestling", "0017_feeding")]

    operations = [
        ops.RunSQL(
            "CREATE TRIGGER owner_assignments_follow_merged_members AFTER INSERT ON owner_assignments "
            "REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION follow_merged_members()",
            reverse_sql="DROP TRIGGER owner_assignments_follow_merged_members ON owner_assignments",
        )
    ]
