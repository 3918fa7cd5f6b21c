"""The web application of this installation: `uvicorn nestling.asgi:app`, or `nestling serve`."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from api.app import create_app
from nestling.logs import configure_logs
from nestling.opening import refuse_demo_leftovers
from nestling.settings import NO_REDIS, Settings, refusals, settings
from nestling.wiring import api_config


def _told(found: Settings) -> Settings:
    """The settings of a server, which needs a database of its own: it never starts the embedded one."""
    said = refusals(found) or ([] if found.DATABASE_URL else ["DATABASE_URL is not set: use `nestling serve`."])
    if said:
        sys.exit("\n".join(said))
    return found.model_copy(update={"REDIS_URL": ""}) if found.REDIS_URL == NO_REDIS else found


def _application(found: Settings) -> Starlette:
    """The application; in production it never begins to serve a database that a demo left something in."""
    configure_logs(found)  # each process its own
    made = create_app(api_config(found))
    opened = made.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await refuse_demo_leftovers(found)
        async with opened(app):
            yield

    made.router.lifespan_context = lifespan
    return made


app = _application(_told(settings()))
