"""Consents: an append-only record of what she allowed, per purpose and channel, with the evidence."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose, Source

if TYPE_CHECKING:
    from domain.commerce.stores import Store
    from domain.people.members import Member


class ConsentState(StrEnum):
    GRANTED = "GRANTED"
    WITHDRAWN = "WITHDRAWN"


class Consent(Model):
    """The latest row (given_at, then id) of a member, purpose and channel is the one in force; no row is no consent."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="consents", on_delete=fields.RESTRICT
    )
    member_id: UUID
    purpose = fields.CharEnumField(Purpose, max_length=16)
    channel = fields.CharEnumField(Channel, max_length=16)
    state = fields.CharEnumField(ConsentState, max_length=16)
    given_at = fields.DatetimeField()  # business clock
    source = fields.CharEnumField(Source, max_length=16)
    how = fields.CharField(
        max_length=64
    )  # store_form, call, mini_program, sms_reply, unsubscribe_link, import, synthetic
    text_version = fields.CharField(max_length=64)  # which wording she saw
    text_hash = fields.CharField(max_length=64)  # SHA-256 of that wording
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="consents", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None
    recorded_by = fields.UUIDField(null=True)  # account

    class Meta:
        table = "consents"
        constraints = [
            one_of("consents", "purpose", Purpose),
            one_of("consents", "channel", Channel),
            one_of("consents", "state", ConsentState),
            one_of("consents", "source", Source),
        ]
