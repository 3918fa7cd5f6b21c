"""Staff: consultants, advisors and operators as people with a place; accounts log them in."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id

if TYPE_CHECKING:
    from domain.commerce.stores import Distributor, Store


class RowScope(StrEnum):
    """Whose members a person may see."""

    OWN = "OWN"
    STORE = "STORE"
    DISTRIBUTOR = "DISTRIBUTOR"
    ALL = "ALL"


class Staff(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    source = fields.CharField(max_length=64)
    external_id = fields.CharField(max_length=200)
    name = fields.CharField(max_length=200)
    scope = fields.CharEnumField(RowScope, max_length=16)
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="staff", null=True, on_delete=fields.RESTRICT
    )
    store_id: UUID | None
    distributor: fields.ForeignKeyNullableRelation["Distributor"] = fields.ForeignKeyField(
        "nestling.Distributor", related_name="staff", null=True, on_delete=fields.RESTRICT
    )
    distributor_id: UUID | None
    is_active = fields.BooleanField(default=True)

    class Meta:
        table = "staff"
        unique_together = (("source", "external_id"),)
        constraints = [one_of("staff", "scope", RowScope)]
