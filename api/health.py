"""/live: the process answers. /ready: it can work. /metrics: what it counted."""

import asyncio
from importlib.resources import files

import redis.asyncio as redis
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tortoise.exceptions import BaseORMException

from api.config import ApiConfig
from domain.database import connection

PATIENCE_S = 2.0


async def live(_request: Request) -> Response:
    return JSONResponse({"live": True}, headers={"cache-control": "no-store"})


async def ready(request: Request) -> Response:
    """200 when the database answers and has every migration. Redis is only told: rows are the truth."""
    config: ApiConfig = request.app.state.config
    database, migrations = await _database()
    found = {"database": database, "migrations": migrations, "redis": await _redis(config.redis_url)}
    is_ready = database == "ok" and migrations == "ok"
    return JSONResponse({"ready": is_ready, **found}, 200 if is_ready else 503, {"cache-control": "no-store"})


async def metrics(_request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _database() -> tuple[str, str]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            rows = await connection().execute_query_dict("SELECT name FROM tortoise_migrations")
    except (OSError, BaseORMException, TimeoutError):
        return "no answer", "unknown"
    wanted = {path.name[:-3] for path in files("migrations").iterdir() if path.name[:1].isdigit()}
    missing = wanted - {row["name"] for row in rows}
    return "ok", f"{len(missing)} pending" if missing else "ok"


async def _redis(url: str) -> str:
    if not url:
        return "not used"
    client = redis.Redis.from_url(url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S)
    try:
        await client.ping()
    except (OSError, RedisError, TimeoutError):
        return "no answer"
    finally:
        await client.aclose()
    return "ok"
