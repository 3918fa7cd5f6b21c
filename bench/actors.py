"""Who asks in a bench: an operator who may see everybody, with a bearer token as any script has one."""

import secrets

from tortoise import Tortoise

from domain.commerce.staff import RowScope, Staff
from domain.database import tortoise_config
from domain.platform.accounts import Account, create_account
from domain.platform.roles import Role
from domain.platform.tokens import Issued, issue_personal_token


async def operator_token(database: str) -> str:
    """The token of a fresh operator. Leaves no connection open."""
    login = f"bench-{secrets.token_hex(8)}"
    await Tortoise.init(config=tortoise_config(database), _enable_global_fallback=True)
    try:
        staff = await Staff.create(source="bench", external_id=login, name="Operator", scope=RowScope.ALL)
        account = await create_account(login, secrets.token_urlsafe(16), Role.OPERATOR, staff_id=staff.id)
        assert isinstance(account, Account), account
        token = await issue_personal_token(login, "bench")
        assert isinstance(token, Issued), token
        return token.secret
    finally:
        await Tortoise.close_connections()
