"""Who gave a call-back back, and why: it is offered to her last."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("nestling", "0003_indexes")]

    operations = [
        ops.AddField(
            model_name="CallbackTask",
            name="release_reason",
            field=fields.CharField(null=True, max_length=200),
        ),
        ops.AddField(
            model_name="CallbackTask",
            name="released_by",
            field=fields.UUIDField(null=True),
        ),
    ]
