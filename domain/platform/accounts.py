"""Accounts: who may sign in, as what. Passwords are kept as argon2id hashes only."""

import asyncio
import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.changes import CREDENTIALS, announce
from domain.platform.constraints import one_of
from domain.platform.failures import ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Role

if TYPE_CHECKING:
    from domain.commerce.staff import Staff

SHORTEST_PASSWORD = 10  # characters
HASHER = PasswordHasher()  # argon2id with the library's current parameters (RFC 9106, low memory)


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


@cache
def nobodys_hash() -> str:
    """What unknown logins are checked against, so that they take as long. Made when first asked for, not at a start."""
    return HASHER.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class AccountNotFound:
    """No account with this login."""


@dataclass(frozen=True, slots=True)
class LoginTaken:
    """Another account has this login."""


async def create_account(
    login: str,
    password: str,
    role: Role,
    *,
    staff_id: UUID | None = None,
    language: str = "en",
    is_demo: bool = False,
) -> Account | LoginTaken | ValidationError:
    """Make an account. `login` is kept in lower case; members and services have tokens, not accounts."""
    name = login.strip().lower()
    if not name:
        return ValidationError.of("login", "A login is needed.")
    if role in (Role.MEMBER, Role.FRONTEND):
        return ValidationError.of("role", "Members and services sign in by token.")
    if len(password) < SHORTEST_PASSWORD:
        return ValidationError.of("password", f"At least {SHORTEST_PASSWORD} characters.")
    hashed = await asyncio.to_thread(HASHER.hash, password)
    key = new_id()
    made = await connection().execute_query_dict(
        "INSERT INTO accounts (id, login, password_hash, role, staff_id, language, is_active, is_demo, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, TRUE, $7, now()) ON CONFLICT (login) DO NOTHING RETURNING id",
        [key, name, hashed, role.value, staff_id, language, is_demo],
    )
    return await Account.get(id=key) if made else LoginTaken()


async def set_password(login: str, password: str) -> Account | AccountNotFound | ValidationError:
    """Change a password; every session of the account ends."""
    if len(password) < SHORTEST_PASSWORD:
        return ValidationError.of("password", f"At least {SHORTEST_PASSWORD} characters.")
    hashed = await asyncio.to_thread(HASHER.hash, password)
    return await _change(login, "password_hash = $2", [hashed])


async def set_active(login: str, *, is_active: bool) -> Account | AccountNotFound:
    """Let an account in or shut it out, with all its sessions and tokens."""
    return await _change(login, "is_active = $2", [is_active])


async def _change(login: str, assignment: str, values: list[object]) -> Account | AccountNotFound:
    async with in_transaction():
        rows = await connection().execute_query_dict(
            f"UPDATE accounts SET {assignment} WHERE login = $1 RETURNING id", [login.strip().lower(), *values]
        )
        if not rows:
            return AccountNotFound()
        key = rows[0]["id"]
        await connection().execute_query(
            "UPDATE sessions SET ended_at = now() WHERE account_id = $1 AND ended_at IS NULL", [key]
        )
        await announce(CREDENTIALS, key)
    return await Account.get(id=key)


def fits(password: str, hashed: str) -> bool:
    """Whether the password made this hash. Takes tens of milliseconds: run it in a thread."""
    try:
        return HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
