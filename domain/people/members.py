"""Members: the carers of a family, one row a person."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Source

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.commerce.stores import Store
    from domain.people.households import Household


class MemberStatus(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    ERASED = "ERASED"


class CarerRole(StrEnum):
    MOTHER = "MOTHER"
    FATHER = "FATHER"
    GRANDPARENT = "GRANDPARENT"
    NANNY = "NANNY"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


class Member(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    status = fields.CharEnumField(MemberStatus, max_length=16, default=MemberStatus.ACTIVE)
    household: fields.ForeignKeyRelation["Household"] = fields.ForeignKeyField(
        "nestling.Household", related_name="carers", on_delete=fields.RESTRICT
    )
    household_id: UUID
    carer_role = fields.CharEnumField(CarerRole, max_length=16, default=CarerRole.UNKNOWN)
    full_name = fields.CharField(max_length=200, null=True)
    name_source = fields.CharEnumField(Source, max_length=16, null=True)
    # Written with full_name by `domain.people.names`, so that search by name, pinyin or initials is one index look-up.
    name_key = fields.CharField(max_length=400, null=True)
    name_initials = fields.CharField(max_length=100, null=True)
    language = fields.CharField(max_length=16, default="en")  # BCP 47: en, zh-Hans
    jurisdiction = fields.CharField(
        max_length=8, default="US"
    )  # ISO 3166: which law pack binds; never guessed from a phone
    time_zone = fields.CharField(max_length=64, default="UTC")
    owner: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="owned_members", null=True, on_delete=fields.SET_NULL
    )
    owner_id: UUID | None
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="members", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None
    source = fields.CharField(
        max_length=64
    )  # the system she came from: completejourney, desk, store, api, import:<name>
    external_id = fields.CharField(max_length=200)  # that system's own id for her
    joined_on = fields.DateField()  # business date
    joined_channel = fields.CharEnumField(Channel, max_length=16, null=True)
    joined_campaign = fields.CharField(max_length=100, null=True)
    joined_by: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="enrolled_members", null=True, on_delete=fields.SET_NULL
    )
    joined_by_id: UUID | None
    handling_note = fields.TextField(null=True)  # a gentle word for whoever serves her, e.g. after a loss
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock
    updated_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "members"
        unique_together = (("source", "external_id"),)
        constraints = [one_of("members", "status", MemberStatus), one_of("members", "carer_role", CarerRole)]
