"""Decisions: what contactability answered for an intent, with everything it looked at, so that it can be replayed."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.outreach.attention import Window
from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose

if TYPE_CHECKING:
    from domain.people.members import Member


class Verdict(StrEnum):
    SEND = "SEND"
    HOLD = "HOLD"
    SUPPRESS = "SUPPRESS"


class Decision(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="decisions", on_delete=fields.RESTRICT
    )
    member_id: UUID
    intent_key = fields.CharField(max_length=200)  # an intent is decided when made and again at claim
    channel = fields.CharEnumField(Channel, max_length=16)
    purpose = fields.CharEnumField(Purpose, max_length=16)
    verdict = fields.CharEnumField(Verdict, max_length=16)
    primary_reason = fields.CharField(max_length=64)  # OK, NO_CONSENT, QUIET_HOURS, WEEKLY_CAP, FORMULA_LAW, ...
    reasons: fields.JSONField[list[str]] = fields.JSONField(default=list)  # all that stood in the way, primary first
    next_possible_at = fields.DatetimeField(null=True)  # business clock
    snapshot: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # the function's whole input
    rules_version = fields.CharField(max_length=32)
    decided_at = fields.DatetimeField()  # business clock

    class Meta:
        table = "decisions"
        constraints = [
            one_of("decisions", "verdict", Verdict),
            one_of("decisions", "channel", Channel),
            one_of("decisions", "purpose", Purpose),
        ]


class AttentionSlot(Model):
    """How many touches a member had in a window; a slot is taken in the claim's transaction, never beyond the cap."""

    id = fields.BigIntField(primary_key=True, generated=True)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="attention_slots", on_delete=fields.RESTRICT
    )
    member_id: UUID
    window_kind = fields.CharEnumField(Window, max_length=8)
    window_start = fields.DateField()  # business date in the member's zone
    used = fields.SmallIntField(default=0)

    class Meta:
        table = "attention_slots"
        constraints = [one_of("attention_slots", "window_kind", Window)]
        unique_together = (("member", "window_kind", "window_start"),)
