"""Identities: every typed name by which a channel knows a member."""

from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model

from domain.database import connection
from domain.gateway.suppressions import address_hash
from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel

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
    PAYMENT_CARD_TOKEN = "PAYMENT_CARD_TOKEN"  # noqa: S105 - a kind of identity, not a secret
    EXTERNAL_ID = "EXTERNAL_ID"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    DEVICE = "DEVICE"


PRIORITY = {kind: rank for rank, kind in enumerate(IdentityKind)}
"""The lower, the stronger: of two that name different members the stronger is believed."""

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
    # Of several members on one family phone, the one whom a look-up by that phone answers. Nobody's where the value is
    # blocked or in quarantine (`identity_blocks`): a trigger sees to it, whoever writes the row.
    is_primary = fields.BooleanField(default=True)
    is_synthetic = fields.BooleanField(default=False)
    # The merged-away member under whom it came: what arrives by it later is hers again when the merge is undone.
    home_id = fields.UUIDField(null=True)
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
        ]


async def callable_phones(member_id: UUID) -> list[str]:
    """Her numbers that no suppression keeps from being called, the one to call first (verified, then latest seen)."""
    rows = await connection().execute_query_dict(
        "SELECT value FROM identities WHERE member_id = $1 AND kind = 'PHONE' "
        "ORDER BY verified_at IS NULL, is_primary DESC, last_seen_at DESC, id",
        [member_id],
    )
    suppressed = await connection().execute_query_dict(
        "SELECT address_hash FROM suppressions WHERE channel = 'CALL' AND lifted_at IS NULL "
        "AND address_hash = ANY($1::text[])",
        [[address_hash(Channel.CALL, row["value"]) for row in rows]],
    )
    silent = {row["address_hash"] for row in suppressed}
    return [row["value"] for row in rows if address_hash(Channel.CALL, row["value"]) not in silent]


async def primary_holder(kind: IdentityKind, value: str, namespace: str | None = None) -> UUID | None:
    """The member whom a look-up by this identity answers: its primary holder. The value is normalised already.

    Without a namespace the answer is a member only when all issuers who know the value mean the same one.
    """
    rows = await connection().execute_query_dict(
        "SELECT DISTINCT i.member_id FROM identities i JOIN members m ON m.id = i.member_id WHERE i.value = $1 "
        "AND i.kind = $2 AND i.is_primary AND ($3::text IS NULL OR i.namespace = $3) "
        "AND m.status NOT IN ('ERASED', 'MERGED') LIMIT 2",
        [value, kind, namespace],
    )
    return rows[0]["member_id"] if len(rows) == 1 else None
