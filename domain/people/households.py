"""Households: several carers, several babies."""

from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.ids import new_id


class Household(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    source = fields.CharField(max_length=64)
    external_id = fields.CharField(max_length=200)
    # The household whose carers and babies these became in a merge: always one that is not merged away itself.
    merged_into: fields.ForeignKeyNullableRelation["Household"] = fields.ForeignKeyField(
        "nestling.Household", related_name="absorbed", null=True, on_delete=fields.RESTRICT
    )
    merged_into_id: UUID | None
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "households"
        unique_together = (("source", "external_id"),)
