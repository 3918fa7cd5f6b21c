"""Opening what a command needs: the servers of the settings, or the embedded ones, and the ORM on top.

What comes out is a Settings object whose URLs are filled, so nothing after it knows where the servers came from.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from tortoise import Tortoise

from domain.database import tortoise_config
from domain.gateway import suppressions
from nestling.migrations import pending
from nestling.settings import NO_REDIS, Settings
from nestling.words import counted, this_command


class NotReady(Exception):
    """The command cannot run now. The text is for the person at the terminal: what is wrong, how to mend it."""


@contextmanager
def services(settings: Settings, *, redis: bool = False, say: Callable[[str], None] = print) -> Iterator[Settings]:
    """The settings with DATABASE_URL (and REDIS_URL) filled: given ones as they are, else the embedded servers.

    A running embedded server is shared and left running; one that was started here is stopped at the end, unless
    somebody else uses it by then.
    """
    from nestling.embedded.postgres import start_postgres
    from nestling.embedded.redis import start_redis

    with ExitStack() as running:
        filled: dict[str, Any] = {}
        if not settings.DATABASE_URL:
            filled["DATABASE_URL"] = running.enter_context(start_postgres(settings.DATA_DIR, say=say)).url
        if settings.REDIS_URL == NO_REDIS:
            filled["REDIS_URL"] = ""
        elif redis and not settings.REDIS_URL:
            bell = start_redis(settings.DATA_DIR, say=say)
            if bell is not None:
                filled["REDIS_URL"] = running.enter_context(bell).url
        yield settings.model_copy(update=filled)


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[None]:
    """The ORM on the settings' database, for one command; refuses a database that lacks migrations."""
    await refuse_pending(settings)
    config = tortoise_config(settings.DATABASE_URL, max_size=settings.DATABASE_POOL_SIZE)
    await Tortoise.init(config=config, _enable_global_fallback=True)
    suppressions.use_key(settings.ADDRESS_HASH_KEY.get_secret_value().encode())
    try:
        yield
    finally:
        await Tortoise.close_connections()


async def refuse_pending(settings: Settings) -> None:
    """Raise NotReady when the database cannot be reached or lacks migrations."""
    try:
        missing = await pending(settings.DATABASE_URL)
    except (OSError, asyncpg.PostgresError) as error:
        raise NotReady(
            f"PostgreSQL does not answer at {without_password(settings.DATABASE_URL)}: {type(error).__name__}. "
            "Check DATABASE_URL and that the server runs."
        ) from error
    if missing:
        lacks = f"{counted(len(missing), 'migration')} (first {missing[0]})"
        raise NotReady(f"The database lacks {lacks}. Run: {this_command()} migrate")


async def refuse_demo_accounts(settings: Settings) -> None:
    """Production never starts with accounts or tokens whose passwords stand in a README."""
    if not settings.is_production:
        return
    reader = await asyncpg.connect(settings.DATABASE_URL)
    try:
        accounts = await reader.fetchval("SELECT count(*) FROM accounts WHERE is_demo AND is_active")
        tokens = await reader.fetchval("SELECT count(*) FROM api_tokens WHERE is_demo AND revoked_at IS NULL")
    finally:
        await reader.close()
    if accounts or tokens:
        raise NotReady(
            f"Production refuses to start: the database has {counted(accounts, 'active demo account')} and "
            f"{counted(tokens, 'demo token')}. "
            f"Run: {this_command()} user disable-demo"
        )


def without_password(url: str) -> str:
    """A URL fit for a log: who and where, not the password."""
    scheme, _, rest = url.partition("//")
    login, at, where = rest.rpartition("@")
    return f"{scheme}//{login.split(':')[0]}{at}{where}"
