"""Receipts: what providers tell us afterwards; kept once each, applied by the transition table, parked when early."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id


class ReceiptKind(StrEnum):
    ACCEPTED = "ACCEPTED"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"


class Receipt(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    provider = fields.CharField(max_length=64)
    event_key = fields.CharField(max_length=200)  # the provider's own id of this event
    provider_ref = fields.CharField(max_length=200, null=True)
    client_ref = fields.UUIDField(null=True)  # our provider_key, echoed
    kind = fields.CharEnumField(ReceiptKind, max_length=16)
    detail = fields.CharField(max_length=100, default="")  # the provider's code, never its prose
    occurred_at = fields.DatetimeField()  # real clock, the provider's
    received_at = fields.DatetimeField(auto_now_add=True)  # real clock
    message_id = fields.UUIDField(null=True)  # null: parked until its message is known
    applied_at = fields.DatetimeField(null=True)  # real clock

    class Meta:
        table = "receipts"
        unique_together = (("provider", "event_key"),)
        constraints = [one_of("receipts", "kind", ReceiptKind)]
