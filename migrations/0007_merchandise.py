"""Products that stand on receipts but not on shelves: fuel, coupons, gift cards, till corrections."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("nestling", "0006_imports")]

    operations = [
        ops.AddField("Product", "is_merchandise", fields.BooleanField(default=True, db_default=True)),
    ]
