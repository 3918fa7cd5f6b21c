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
from nestling.migrations import AnotherVersion, pending
from nestling.settings import NO_REDIS, Settings, refusals
from nestling.words import counted, started_again, this_command


class NotReady(Exception):
    """The command cannot run now. The text is for the person at the terminal: what is wrong, how to mend it."""


def refuse_taken_port(settings: Settings) -> None:
    """Raise where somebody listens on the port of our web server, with the line that starts us on a free one."""
    from nestling.embedded.processes import free_port, is_free

    if settings.PORT and not is_free(settings.PORT, settings.HOST):
        raise NotReady(
            f"Port {settings.PORT} is in use. Stop what listens there (lsof -i :{settings.PORT}), or choose another: "
            f"{started_again(PORT=free_port(host=settings.HOST))}"
        )


MOVED_CLOCK = "SELECT business_now() FROM clock_offsets WHERE name = 'business' AND offset_us <> 0"
"""What the business clock reads where it is not the real one; no row where it is."""
CLOCK_REMEDY = 'Production runs on the real clock. Run: psql "$DATABASE_URL" -c "DELETE FROM clock_offsets"'
"""What to do about a business clock that a demo moved."""


@contextmanager
def services(settings: Settings, *, redis: bool = False, say: Callable[[str], None] = print) -> Iterator[Settings]:
    """The servers of a command that works with people's data: what production refuses is said before one starts."""
    refuse_unsafe(settings)
    with servers(settings, redis=redis, say=say) as opened:
        yield opened


@contextmanager
def servers(settings: Settings, *, redis: bool = False, say: Callable[[str], None] = print) -> Iterator[Settings]:
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
    """The ORM on the settings' database, for one command; refuses a database that lacks migrations.

    In production it refuses unsafe settings too: by the hashes of a default key no suppression would be found.
    """
    refuse_unsafe(settings)
    await refuse_pending(settings)
    config = tortoise_config(settings.DATABASE_URL, max_size=settings.DATABASE_POOL_SIZE)
    await Tortoise.init(config=config, _enable_global_fallback=True)
    suppressions.use_key(settings.ADDRESS_HASH_KEY.get_secret_value().encode())
    try:
        yield
    finally:
        await Tortoise.close_connections()


def refuse_unsafe(settings: Settings) -> None:
    """Raise NotReady when production may not run with these settings."""
    _refuse(refusals(settings))


async def refuse_pending(settings: Settings) -> None:
    """Raise NotReady when the database cannot be reached, lacks migrations or is another version's."""
    missing = await lacks(settings)
    if missing:
        told = f"{counted(len(missing), 'migration')} (first {missing[0]})"
        raise NotReady(f"The database lacks {told}. Run: {this_command()} migrate")


async def lacks(settings: Settings) -> list[str]:
    """The migrations that the database lacks; NotReady when it cannot be reached or is another version's."""
    try:
        return await pending(settings.DATABASE_URL)
    except (OSError, asyncpg.PostgresError) as error:
        raise NotReady(
            f"PostgreSQL does not answer at {without_password(settings.DATABASE_URL)}: {type(error).__name__}. "
            "Check DATABASE_URL and that the server runs."
        ) from error
    except AnotherVersion as other:
        raise NotReady(str(other)) from other


async def refuse_demo_leftovers(settings: Settings) -> None:
    """Production never starts on what a demo left in the database: accounts or tokens that a terminal showed,
    and a clock by which care goes out on another day."""
    if not settings.is_production:
        return
    reader = await asyncpg.connect(settings.DATABASE_URL)
    try:
        accounts = await reader.fetchval("SELECT count(*) FROM accounts WHERE is_demo AND is_active")
        tokens = await reader.fetchval("SELECT count(*) FROM api_tokens WHERE is_demo AND revoked_at IS NULL")
        moved_to = await reader.fetchval(MOVED_CLOCK)
    finally:
        await reader.close()
    found = []
    if accounts or tokens:
        has = f"{counted(accounts, 'active demo account')} and {counted(tokens, 'demo token')}"
        found.append(f"The database has {has}. Run: {this_command()} user disable-demo")
    if moved_to is not None:
        found.append(f"The business clock reads {moved_to:%Y-%m-%d %H:%M} UTC. {CLOCK_REMEDY}")
    _refuse(found)


def _refuse(found: list[str]) -> None:
    if found:
        raise NotReady("Production refuses to start:\n" + "\n".join(f"- {said}" for said in found))


def without_password(url: str) -> str:
    """A URL fit for a log: who and where, not the password."""
    scheme, _, rest = url.partition("//")
    login, at, where = rest.rpartition("@")
    return f"{scheme}//{login.split(':')[0]}{at}{where}"
