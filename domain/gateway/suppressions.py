"""Suppressions: addresses that must not be reached any more, kept as a keyed hash so that erasure cannot lose them."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from domain.people.members import Member


class SuppressionReason(StrEnum):
    STOP_WORD = "STOP_WORD"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"
    DO_NOT_CALL = "DO_NOT_CALL"
    WRONG_NUMBER = "WRONG_NUMBER"
    STAFF = "STAFF"


class Suppression(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    channel = fields.CharEnumField(Channel, max_length=16)
    address_hash = fields.CharField(max_length=64)  # HMAC-SHA-256 of the normalised address
    member: fields.ForeignKeyNullableRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="suppressions", null=True, on_delete=fields.SET_NULL
    )
    member_id: UUID | None
    reason = fields.CharEnumField(SuppressionReason, max_length=16)
    since = fields.DatetimeField()  # business clock
    lifted_at = fields.DatetimeField(null=True)  # business clock

    class Meta:
        table = "suppressions"
        constraints = [
            one_of("suppressions", "channel", Channel),
            one_of("suppressions", "reason", SuppressionReason),
            UniqueConstraint(
                name="suppressions_one_in_force", fields=("channel", "address_hash"), condition="lifted_at IS NULL"
            ),
        ]
