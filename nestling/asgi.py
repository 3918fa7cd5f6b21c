"""The web application of this installation: `uvicorn nestling.asgi:app`, or `nestling serve`."""

import sys

from api.app import create_app
from nestling.settings import NO_REDIS, Settings, refusals, settings
from nestling.wiring import api_config


def _told(found: Settings) -> Settings:
    """The settings of a server, which needs a database of its own: it never starts the embedded one."""
    said = refusals(found) or ([] if found.DATABASE_URL else ["DATABASE_URL is not set: use `nestling serve`."])
    if said:
        sys.exit("\n".join(said))
    return found.model_copy(update={"REDIS_URL": ""}) if found.REDIS_URL == NO_REDIS else found


app = create_app(api_config(_told(settings())))
