"""API tokens: `nst_` and 32 random bytes, kept as a hash. A person's, a service's, or a member's for 15 minutes."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.identities import IdentityKind, primary_holder
from domain.platform.accounts import AccountNotFound
from domain.platform.actors import Actor
from domain.platform.changes import CREDENTIALS, announce
from domain.platform.clock import real_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import PERMISSIONS, Permission, Role
from domain.platform.sessions import hash_secret

if TYPE_CHECKING:
    from domain.people.members import Member
    from domain.platform.accounts import Account

MEMBER_TOKEN_TTL = timedelta(minutes=15)
SHOWN = 12  # first characters, by which a person tells tokens apart
MARK = "nst_"


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
                check="(role = 'MEMBER') = (member_id IS NOT NULL) "
                "AND (role IN ('MEMBER', 'FRONTEND')) = (account_id IS NULL)",
            ),
        ]


@dataclass(frozen=True, slots=True)
class Issued:
    """`secret` is shown once; only its hash is kept."""

    id: UUID
    secret: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenNotFound:
    """No such token, or it was revoked before."""


async def issue_service_token(name: str, *, ttl: timedelta | None = None, is_demo: bool = False) -> Issued:
    """A frontend server's token: reads one member at a time and opens member tokens. Never give it to a browser."""
    return await _issue(name, Role.FRONTEND, ttl=ttl, is_demo=is_demo)


async def issue_personal_token(
    login: str, name: str, *, ttl: timedelta | None = None, is_demo: bool = False
) -> Issued | AccountNotFound:
    """A token with the rights that the account has now; it loses what the account loses."""
    rows = await connection().execute_query_dict(
        "SELECT id, role FROM accounts WHERE login = $1 AND is_active", [login.strip().lower()]
    )
    if not rows:
        return AccountNotFound()
    return await _issue(name, Role(rows[0]["role"]), account_id=rows[0]["id"], ttl=ttl, is_demo=is_demo)


async def issue_member_token(member_id: UUID, *, ttl: timedelta = MEMBER_TOKEN_TTL, is_demo: bool = False) -> Issued:
    """A member's token without a service between: for the command line and the demo."""
    return await _issue("member", Role.MEMBER, member_id=member_id, ttl=ttl, is_demo=is_demo)


async def open_member_token(
    actor: Actor, kind: IdentityKind, value: str, namespace: str | None = None, *, is_demo: bool = False
) -> Issued | MemberNotFound | NotPermitted | ValidationError:
    """For a service: 15 minutes for the member whose identity it has verified. Audited, with the service's token."""
    if not actor.may(Permission.OPEN_MEMBER_TOKENS):
        return NotPermitted(Permission.OPEN_MEMBER_TOKENS)
    if not value:
        return ValidationError.of("value", "The verified identity is needed.")
    member_id = await primary_holder(kind, value, namespace)
    if member_id is None:
        return MemberNotFound()
    async with in_transaction():
        active = await connection().execute_query_dict(
            "SELECT 1 FROM members WHERE id = $1 AND status = 'ACTIVE' FOR SHARE", [member_id]
        )
        if not active:
            return MemberNotFound()
        issued = await _issue(
            "member", Role.MEMBER, member_id=member_id, opened_by=actor.token_id, ttl=MEMBER_TOKEN_TTL, is_demo=is_demo
        )
        await connection().execute_query(
            "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
            "VALUES ($1, $2, 'open_member_token', $3, jsonb_build_object('by', $4::text, 'token', $5::text))",
            [actor.id, actor.role.value, [member_id], kind.value, str(issued.id)],
        )
    return issued


async def revoke_token(token_id: UUID) -> UUID | TokenNotFound:
    """The token stops working: at once where NOTIFY arrives, within 30 seconds everywhere."""
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id", [token_id]
        )
        if not rows:
            return TokenNotFound()
        await announce(CREDENTIALS, token_id)
    return token_id


async def _issue(
    name: str,
    role: Role,
    *,
    account_id: UUID | None = None,
    member_id: UUID | None = None,
    opened_by: UUID | None = None,
    ttl: timedelta | None = None,
    is_demo: bool = False,
) -> Issued:
    assert PERMISSIONS[role], role
    key, secret = new_id(), MARK + secrets.token_urlsafe(32)
    expires_at = real_now() + ttl if ttl is not None else None
    await connection().execute_query(
        "INSERT INTO api_tokens (id, prefix, token_hash, name, role, account_id, member_id, opened_by, is_demo, "
        "created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), $10)",
        [
            key,
            secret[:SHOWN],
            hash_secret(secret),
            name,
            role.value,
            account_id,
            member_id,
            opened_by,
            is_demo,
            expires_at,
        ],
    )
    return Issued(key, secret, expires_at)
