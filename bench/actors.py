"""Who asks in a bench: an operator who may see everybody, with a bearer token as any script has one."""

import hashlib
import secrets

from bench.databases import connected
from domain.platform.ids import new_id


async def operator_token(database: str) -> str:
    """The token of a fresh operator."""
    token = f"nst_{secrets.token_urlsafe(32)}"
    staff_id, account_id = new_id(), new_id()
    async with connected(database) as connection:
        await connection.execute(
            "INSERT INTO staff (id, source, external_id, name, scope) VALUES ($1, 'bench', $2, 'Operator', 'ALL')",
            staff_id,
            str(staff_id),
        )
        await connection.execute(
            "INSERT INTO accounts (id, login, password_hash, role, staff_id) VALUES ($1, $2, '!', 'OPERATOR', $3)",
            account_id,
            f"bench-{account_id}",
            staff_id,
        )
        await connection.execute(
            "INSERT INTO api_tokens (id, prefix, token_hash, name, role, account_id) VALUES ($1, $2, $3, $4, $5, $6)",
            new_id(),
            token[:12],
            hashlib.sha256(token.encode()).hexdigest(),
            "bench",
            "OPERATOR",
            account_id,
        )
    return token
