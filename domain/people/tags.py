"""Tags: a catalogue in families, and what was said of whom, by whom, until when."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Source

if TYPE_CHECKING:
    from domain.people.members import Member


class TagFamily(StrEnum):
    ATTRIBUTE = "ATTRIBUTE"
    CONSUMPTION = "CONSUMPTION"
    TRANSACTION = "TRANSACTION"
    INTERACTION = "INTERACTION"
    MODEL = "MODEL"


class Tag(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    key = fields.CharField(max_length=100, unique=True)  # lower-case, dotted: income.under_15k
    family = fields.CharEnumField(TagFamily, max_length=16)
    label_en = fields.CharField(max_length=100)
    label_zh = fields.CharField(max_length=100)
    description = fields.TextField(default="")

    class Meta:
        table = "tags"
        constraints = [one_of("tags", "family", TagFamily)]


class MemberTag(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    tag: fields.ForeignKeyRelation["Tag"] = fields.ForeignKeyField(
        "nestling.Tag", related_name="uses", on_delete=fields.RESTRICT
    )
    tag_id: UUID
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="tags", on_delete=fields.RESTRICT
    )
    member_id: UUID
    source = fields.CharEnumField(Source, max_length=16)
    evidence = fields.CharField(max_length=400, default="")
    set_at = fields.DatetimeField()  # business clock
    set_by = fields.UUIDField(null=True)  # account
    expires_at = fields.DatetimeField(null=True)  # business clock
    removed_at = fields.DatetimeField(null=True)  # business clock

    class Meta:
        table = "member_tags"
        constraints = [
            one_of("member_tags", "source", Source),
            UniqueConstraint(
                name="member_tags_once_at_a_time", fields=("member_id", "tag_id"), condition="removed_at IS NULL"
            ),
        ]
