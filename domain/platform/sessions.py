"""Sessions: a person signed in on one browser. The cookie's value is kept as a hash only.

Tries are counted by audit rows, so that every process sees them: five for a login, thirty for an address, in five
minutes. Signing in clears the login's, and was no try of the address: a whole office comes from one.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.accounts import fits, nobodys_hash
from domain.platform.changes import CREDENTIALS, announce
from domain.platform.clock import real_now
from domain.platform.ids import new_id

if TYPE_CHECKING:
    from domain.platform.accounts import Account

SESSION_TTL = timedelta(hours=12)
TRIES_WINDOW = timedelta(minutes=5)
TRIES_PER_LOGIN = 5
TRIES_PER_ADDRESS = 30


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


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """`secret` goes into the cookie and is known to nobody else from now on."""

    secret: str
    expires_at: datetime
    account_id: UUID
    language: str


@dataclass(frozen=True, slots=True)
class WrongLogin:
    """Login, password or both are wrong, or the account is shut: the three answer alike."""


@dataclass(frozen=True, slots=True)
class TooManyTries:
    """Wait before trying again, whatever the password."""

    retry_after: timedelta


def hash_secret(secret: str) -> str:
    """What is kept of a cookie or token: SHA-256, enough for 32 random bytes."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def log_in(login: str, password: str, address: str) -> LoggedIn | WrongLogin | TooManyTries:
    """Open a session. `address` is the client's; only its hash is kept, for counting."""
    name = login.strip().lower()
    who, whence = hash_secret(f"login:{name}")[:32], hash_secret(f"address:{address}")[:32]
    if not await _count_try(who, whence):
        return TooManyTries(TRIES_WINDOW)
    rows = await connection().execute_query_dict(
        "SELECT a.id, a.password_hash, a.language, a.role FROM accounts a LEFT JOIN staff s ON s.id = a.staff_id "
        "WHERE a.login = $1 AND a.is_active AND coalesce(s.is_active, TRUE)",
        [name],
    )
    nobodys = await asyncio.to_thread(nobodys_hash)  # asked for whoever tries: a first try tells nothing by its length
    hashed = rows[0]["password_hash"] if rows else nobodys
    if not await asyncio.to_thread(fits, password, hashed) or not rows:
        return WrongLogin()
    return await _open(rows[0]["id"], rows[0]["role"], rows[0]["language"], who, whence)


async def log_out(secret: str) -> None:
    """End the session of a cookie; without one nothing happens."""
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "UPDATE sessions SET ended_at = now() WHERE token_hash = $1 AND ended_at IS NULL RETURNING account_id",
            [hash_secret(secret)],
        )
        if rows:
            await announce(CREDENTIALS, rows[0]["account_id"])


async def _count_try(who: str, whence: str) -> bool:
    """Whether one more try is allowed. Counted before the password is looked at, one at a time for a login."""
    since = real_now() - TRIES_WINDOW
    async with in_transaction():
        # Always in this order, so that two tries cannot wait for each other.
        for key in sorted((who, whence)):
            await connection().execute_query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [key])
        counted = await connection().execute_query_dict(
            "SELECT count(*) FILTER (WHERE detail->>'login' = $1 AND action = 'login_tried' AND at > coalesce("
            "  (SELECT max(at) FROM audit_entries WHERE at > $3 AND action = 'logged_in' AND detail->>'login' = $1), $3"
            ")) AS of_login, count(*) FILTER (WHERE detail->>'address' = $2 AND action = 'login_tried') "
            "- count(*) FILTER (WHERE detail->>'address' = $2 AND action = 'logged_in') AS of_address "
            "FROM audit_entries WHERE at > $3",
            [who, whence, since],
        )
        if counted[0]["of_login"] >= TRIES_PER_LOGIN or counted[0]["of_address"] >= TRIES_PER_ADDRESS:
            return False
        await connection().execute_query(
            "INSERT INTO audit_entries (actor_role, action, detail) "
            "VALUES ('', 'login_tried', jsonb_build_object('login', $1::text, 'address', $2::text))",
            [who, whence],
        )
    return True


async def _open(account_id: UUID, role: str, language: str, who: str, whence: str) -> LoggedIn:
    secret, expires_at = secrets.token_urlsafe(32), real_now() + SESSION_TTL
    async with in_transaction():
        await connection().execute_query(
            "INSERT INTO sessions (id, token_hash, account_id, created_at, expires_at) VALUES ($1, $2, $3, now(), $4)",
            [new_id(), hash_secret(secret), account_id, expires_at],
        )
        await connection().execute_query(
            "INSERT INTO audit_entries (actor_id, actor_role, action, detail) "
            "VALUES ($1, $2, 'logged_in', jsonb_build_object('login', $3::text, 'address', $4::text))",
            [account_id, role, who, whence],
        )
    return LoggedIn(secret, expires_at, account_id, language)
