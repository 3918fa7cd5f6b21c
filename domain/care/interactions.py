"""Interactions: every word between us and a member, whatever the channel, on one timeline."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.commerce.stores import Store
    from domain.people.babies import Baby
    from domain.people.members import Member


class Direction(StrEnum):
    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"
    INTERNAL = "INTERNAL"


class InteractionKind(StrEnum):
    VISIT = "VISIT"
    CALL = "CALL"
    CHAT = "CHAT"
    REPLY = "REPLY"
    QUESTION = "QUESTION"
    NOTE = "NOTE"
    REVIEW = "REVIEW"
    CLASS = "CLASS"


class Interaction(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="interactions", on_delete=fields.RESTRICT
    )
    member_id: UUID
    baby: fields.ForeignKeyNullableRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="interactions", null=True, on_delete=fields.RESTRICT
    )
    baby_id: UUID | None
    kind = fields.CharEnumField(InteractionKind, max_length=16)
    channel = fields.CharEnumField(Channel, max_length=16)
    direction = fields.CharEnumField(Direction, max_length=16)
    occurred_at = fields.DatetimeField()  # business clock
    recorded_at = fields.DatetimeField(auto_now_add=True)  # real clock
    topic = fields.CharField(max_length=100, default="")
    note = fields.TextField(default="")
    staff: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="interactions", null=True, on_delete=fields.SET_NULL
    )
    staff_id: UUID | None
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="interactions", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None
    task_id = fields.UUIDField(null=True)  # the call-back that it came of
    message_id = fields.UUIDField(null=True)  # the message that it answers
    source = fields.CharField(max_length=64)  # desk, store, sms, import:<name>, synthetic
    external_id = fields.CharField(max_length=200)  # the source's own id; a new UUID when we are the source
    is_synthetic = fields.BooleanField(default=False)

    class Meta:
        table = "interactions"
        unique_together = (("source", "external_id"),)
        constraints = [
            one_of("interactions", "kind", InteractionKind),
            one_of("interactions", "channel", Channel),
            one_of("interactions", "direction", Direction),
        ]
