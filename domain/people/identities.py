"""Identities: every typed name by which a channel knows a member."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id

if TYPE_CHECKING:
    from domain.people.members import Member


class IdentityKind(StrEnum):
    """Strongest evidence of a person first; a phone or an e-mail may be a family's."""

    WECHAT_UNIONID = "WECHAT_UNIONID"
    WECOM_EXTERNAL_ID = "WECOM_EXTERNAL_ID"
    WECHAT_OPENID = "WECHAT_OPENID"
    CARD = "CARD"
    MALL_ACCOUNT = "MALL_ACCOUNT"
    POS_ID = "POS_ID"
    PAYMENT_CARD_TOKEN = "PAYMENT_CARD_TOKEN"
    EXTERNAL_ID = "EXTERNAL_ID"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    DEVICE = "DEVICE"


SHAREABLE = (IdentityKind.PHONE, IdentityKind.EMAIL, IdentityKind.DEVICE)


class Identity(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="identities", on_delete=fields.RESTRICT
    )
    member_id: UUID
    kind = fields.CharEnumField(IdentityKind, max_length=32)
    namespace = fields.CharField(max_length=64, default="")  # the issuing system; empty for phone and e-mail
    value = fields.CharField(max_length=320)  # normalised: E.164, lower-case e-mail, the issuer's own spelling
    # Of several members on one family phone, the one whom a look-up by that phone answers.
    is_primary = fields.BooleanField(default=True)
    is_synthetic = fields.BooleanField(default=False)
    verified_at = fields.DatetimeField(null=True)  # real clock
    verified_by = fields.CharField(max_length=64, null=True)
    first_seen_at = fields.DatetimeField()  # business clock
    last_seen_at = fields.DatetimeField()  # business clock

    class Meta:
        table = "identities"
        unique_together = (("member", "kind", "namespace", "value"),)
        constraints = [
            one_of("identities", "kind", IdentityKind),
            CheckConstraint(name="identities_value_not_empty", check="value <> ''"),
            UniqueConstraint(
                name="identities_one_person", fields=("kind", "namespace", "value"), condition="is_primary"
            ),
            CheckConstraint(
                name="identities_strong_kinds_are_primary",
                check="is_primary OR kind IN ('PHONE', 'EMAIL', 'DEVICE')",
            ),
        ]
