"""Accounts, sessions and API tokens. Secrets are kept as hashes only."""

from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.roles import Role

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.people.members import Member


class Account(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    login = fields.CharField(max_length=200, unique=True)
    password_hash = fields.CharField(max_length=200)  # argon2id
    role = fields.CharEnumField(Role, max_length=16)
    staff: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="accounts", null=True, on_delete=fields.RESTRICT
    )
    staff_id: UUID | None
    language = fields.CharField(max_length=16, default="en")
    is_active = fields.BooleanField(default=True)
    is_demo = fields.BooleanField(default=False)  # production refuses to start while one is active
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "accounts"
        constraints = [one_of("accounts", "role", Role)]


class Session(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    token_hash = fields.CharField(max_length=64, unique=True)  # SHA-256 of the cookie's value
    account: fields.ForeignKeyRelation["Account"] = fields.ForeignKeyField(
        "nestling.Account", related_name="sessions", on_delete=fields.CASCADE
    )
    account_id: UUID
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock
    expires_at = fields.DatetimeField()  # real clock
    ended_at = fields.DatetimeField(null=True)  # real clock

    class Meta:
        table = "sessions"


class ApiToken(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    prefix = fields.CharField(max_length=16)  # shown in lists, so that a person can tell tokens apart
    token_hash = fields.CharField(max_length=64, unique=True)  # SHA-256 of the whole token
    name = fields.CharField(max_length=100)
    role = fields.CharEnumField(Role, max_length=16)
    account: fields.ForeignKeyNullableRelation["Account"] = fields.ForeignKeyField(
        "nestling.Account", related_name="tokens", null=True, on_delete=fields.CASCADE
    )
    account_id: UUID | None  # a person's token
    member: fields.ForeignKeyNullableRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="access_tokens", null=True, on_delete=fields.CASCADE
    )
    member_id: UUID | None  # a member's token
    opened_by = fields.UUIDField(null=True)  # the service token that opened a member's
    is_demo = fields.BooleanField(default=False)
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock
    expires_at = fields.DatetimeField(null=True)  # real clock
    revoked_at = fields.DatetimeField(null=True)  # real clock
    last_used_at = fields.DatetimeField(null=True)  # real clock, to the minute

    class Meta:
        table = "api_tokens"
        constraints = [
            one_of("api_tokens", "role", Role),
            CheckConstraint(
                name="api_tokens_belong_to_their_role",
                check="(role = 'MEMBER') = (member_id IS NOT NULL) AND (role IN ('MEMBER', 'FRONTEND')) = (account_id IS NULL)",
            ),
        ]
