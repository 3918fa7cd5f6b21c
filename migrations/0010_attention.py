"""One attention budget in days, weeks and months; of equals the message of most value takes the slot."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from domain.outreach.attention import Window


class Migration(migrations.Migration):
    dependencies = [("nestling", "0009_looks_by_row")]

    operations = [
        ops.AlterField(
            model_name="AttentionSlot",
            name="window_kind",
            field=fields.CharEnumField(
                description="DAY: DAY\nWEEK: WEEK\nMONTH: MONTH", enum_type=Window, max_length=8
            ),
        ),
        ops.AddConstraint(
            model_name="AttentionSlot",
            constraint=CheckConstraint(
                check="window_kind IN ('DAY', 'WEEK', 'MONTH')", name="attention_slots_window_kind_known"
            ),
        ),
        ops.AddField(model_name="Message", name="value", field=fields.FloatField(default=0.0, db_default=0.0)),
    ]
