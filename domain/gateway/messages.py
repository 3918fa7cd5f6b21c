"""Messages: one row an intent to say something to a member, and its state until the end."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose

if TYPE_CHECKING:
    from domain.people.babies import Baby
    from domain.people.members import Member


class MessageState(StrEnum):
    PLANNED = "PLANNED"
    HELD = "HELD"
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    ACCEPTED = "ACCEPTED"
    UNKNOWN = "UNKNOWN"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    FAILED = "FAILED"
    SUPPRESSED = "SUPPRESSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNKNOWN_FINAL = "UNKNOWN_FINAL"
    DEAD = "DEAD"


class Message(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="messages", on_delete=fields.RESTRICT
    )
    member_id: UUID
    baby: fields.ForeignKeyNullableRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="messages", null=True, on_delete=fields.RESTRICT
    )
    baby_id: UUID | None
    channel = fields.CharEnumField(Channel, max_length=16)
    purpose = fields.CharEnumField(Purpose, max_length=16)
    intent_key = fields.CharField(max_length=200, unique=True)  # the same wish made twice is one message
    provider_key = fields.UUIDField(
        unique=True
    )  # uuid5 of the intent: one key for life, for every attempt and provider
    care_run_id = fields.UUIDField(null=True)
    template_key = fields.CharField(max_length=100)
    template_version = fields.IntField()
    language = fields.CharField(max_length=16)
    params: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # what the template needs
    # As she sees it; rendered at claim, kept with the row so that the outbox page shows what left.
    address = fields.CharField(max_length=320, null=True)
    subject = fields.TextField(null=True)
    body = fields.TextField(null=True)
    body_html = fields.TextField(null=True)
    state = fields.CharEnumField(MessageState, max_length=16, default=MessageState.PLANNED)
    state_reason = fields.CharField(max_length=64, default="")
    decision_id = fields.UUIDField()
    not_before = fields.DatetimeField()  # business clock: held until
    expires_at = fields.DatetimeField()  # business clock: checked again at the moment of sending
    next_attempt_at = fields.DatetimeField(null=True)  # real clock: back-off
    attempt = fields.SmallIntField(default=0)
    provider = fields.CharField(max_length=64, null=True)
    provider_ref = fields.CharField(max_length=200, null=True)
    lease_owner = fields.CharField(max_length=64, null=True)
    lease_until = fields.DatetimeField(null=True)  # real clock
    slot_window = fields.DateField(null=True)  # the attention slot that it holds
    unknown_since = fields.DatetimeField(null=True)  # real clock
    created_at = fields.DatetimeField()  # business clock
    state_at = fields.DatetimeField()  # real clock: since when it is in this state
    sent_at = fields.DatetimeField(null=True)  # business clock

    class Meta:
        table = "messages"
        constraints = [
            one_of("messages", "channel", Channel),
            one_of("messages", "purpose", Purpose),
            one_of("messages", "state", MessageState),
            CheckConstraint(
                name="messages_sending_has_a_lease",
                check="(state = 'SENDING') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
            ),
        ]


class MessageEvent(Model):
    """The life of a message, a line a transition. Append only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    message: fields.ForeignKeyRelation["Message"] = fields.ForeignKeyField(
        "nestling.Message", related_name="events", on_delete=fields.RESTRICT
    )
    message_id: UUID
    at = fields.DatetimeField(auto_now_add=True)  # real clock
    from_state = fields.CharField(max_length=16)
    to_state = fields.CharField(max_length=16)
    cause = fields.CharField(max_length=64)
    attempt = fields.SmallIntField(default=0)
    provider_ref = fields.CharField(max_length=200, null=True)

    class Meta:
        table = "message_events"
