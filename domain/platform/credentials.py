"""Credentials: from a cookie or token to the actor that it stands for, in one look-up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.commerce.staff import RowScope
from domain.database import connection
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.roles import PERMISSIONS, Role
from domain.platform.sessions import hash_secret

USED_EVERY = timedelta(minutes=1)

_PLACE = "s.id AS staff_id, s.scope, s.store_id, coalesce(s.distributor_id, st.distributor_id) AS distributor_id"
_PERSON = "LEFT JOIN staff s ON s.id = a.staff_id LEFT JOIN stores st ON st.id = s.store_id"

_SESSION = f"""
SELECT a.id AS account_id, a.role, a.role AS account_role, a.language, x.expires_at, {_PLACE},
       NULL::uuid AS token_id, NULL::uuid AS member_id, NULL::uuid AS household_id, NULL::timestamptz AS last_used_at
FROM sessions x JOIN accounts a ON a.id = x.account_id {_PERSON}
WHERE x.token_hash = $1 AND x.ended_at IS NULL AND x.expires_at > $2 AND a.is_active AND coalesce(s.is_active, TRUE)
"""

_TOKEN = f"""
SELECT a.id AS account_id, x.role, a.role AS account_role, coalesce(a.language, m.language, 'en') AS language,
       x.expires_at, {_PLACE}, x.id AS token_id, m.id AS member_id, m.household_id, x.last_used_at
FROM api_tokens x LEFT JOIN accounts a ON a.id = x.account_id {_PERSON} LEFT JOIN members m ON m.id = x.member_id
WHERE x.token_hash = $1 AND x.revoked_at IS NULL AND (x.expires_at IS NULL OR x.expires_at > $2)
  AND coalesce(a.is_active, TRUE) AND coalesce(s.is_active, TRUE) AND coalesce(m.status = 'ACTIVE', TRUE)
"""


_LOGIN = f"""
SELECT a.id AS account_id, a.role, a.role AS account_role, a.language, NULL::timestamptz AS expires_at, {_PLACE},
       NULL::uuid AS token_id, NULL::uuid AS member_id, NULL::uuid AS household_id, NULL::timestamptz AS last_used_at
FROM accounts a {_PERSON} WHERE a.login = $1 AND a.is_active AND coalesce(s.is_active, TRUE)
"""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who a secret stands for, until when, and the language of her sentences."""

    actor: Actor
    expires_at: datetime | None  # real clock
    language: str


async def by_session(secret: str) -> Credential | None:
    """The person behind a session cookie; None when it has ended, lapsed or never was."""
    rows = await connection().execute_query_dict(_SESSION, [hash_secret(secret), real_now()])
    return _credential(rows[0]) if rows else None


async def by_token(secret: str) -> Credential | None:
    """The person, service or member behind an API token; marks it as used, at most once a minute."""
    now = real_now()
    rows = await connection().execute_query_dict(_TOKEN, [hash_secret(secret), now])
    if not rows:
        return None
    used = rows[0]["last_used_at"]
    if used is None or now - used >= USED_EVERY:
        await connection().execute_query(
            "UPDATE api_tokens SET last_used_at = $2 WHERE id = $1", [rows[0]["token_id"], now]
        )
    return _credential(rows[0])


async def by_login(login: str) -> Credential | None:
    """The person of an account, for the command line: whoever runs it has the database anyway, and says who she is."""
    rows = await connection().execute_query_dict(_LOGIN, [login.strip().lower()])
    return _credential(rows[0]) if rows else None


def _credential(row: dict[str, Any]) -> Credential:
    role = Role(row["role"])
    permissions = PERMISSIONS[role]
    if row["account_role"] is not None:
        permissions = permissions & PERMISSIONS[Role(row["account_role"])]
    owner: UUID = row["account_id"] or row["member_id"] or row["token_id"]
    actor = Actor(
        id=owner,
        role=role,
        scope=RowScope(row["scope"]) if row["scope"] else RowScope.OWN,
        account_id=row["account_id"],
        staff_id=row["staff_id"],
        store_id=row["store_id"],
        distributor_id=row["distributor_id"],
        member_id=row["member_id"],
        household_id=row["household_id"],
        token_id=row["token_id"],
        permissions=permissions,
    )
    return Credential(actor, row["expires_at"], row["language"])
