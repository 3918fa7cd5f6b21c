"""The floor of the profile benches: a plain endpoint over one hand-written statement, as fast as we can write it.

A prepared statement on an asyncpg pool that is never reset, the JSON text of PostgreSQL straight into the response. It
knows nobody: no authentication, no scope, no limits.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PROFILE = (Path(__file__).parent / "documents" / "profile.sql").read_text()
ONE = f"""SELECT json_build_object('data', json_build_object('profile', ({PROFILE})))::text
FROM members m
JOIN households h ON h.id = m.household_id
LEFT JOIN stores s ON s.id = m.store_id
LEFT JOIN staff w ON w.id = m.owner_id
WHERE m.id = $1"""
FIFTY = f"""SELECT json_build_object('data', json_build_object('list', json_build_object(
  '__typename', 'MemberConnection',
  'edges', json_agg(json_build_object('__typename', 'MemberEdge', 'node', {PROFILE}) ORDER BY m.id))))::text
FROM (SELECT * FROM members WHERE store_id = $1 ORDER BY id LIMIT 50) m
JOIN households h ON h.id = m.household_id
LEFT JOIN stores s ON s.id = m.store_id
LEFT JOIN staff w ON w.id = m.owner_id"""


class _Unreset(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    def get_reset_query(self) -> str:
        return ""


def make_app() -> Starlette:
    """The application; BENCH_PLAIN_URL is its database, DATABASE_POOL_SIZE the size of its pool, as in the settings."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            os.environ["BENCH_PLAIN_URL"],
            min_size=1,
            max_size=int(os.environ["DATABASE_POOL_SIZE"]),
            connection_class=_Unreset,
            server_settings={"timezone": "UTC", "jit": "off"},
        ) as pool:
            app.state.pool = pool
            yield

    async def answer(request: Request, sql: str) -> Response:
        orders, words = int(request.query_params["orders"]), int(request.query_params["words"])
        async with request.app.state.pool.acquire() as connection:
            text = await connection.fetchval(sql, UUID(request.query_params["id"]), orders, words)
        return Response(text, media_type="application/json")

    async def one(request: Request) -> Response:
        return await answer(request, ONE)

    async def fifty(request: Request) -> Response:
        return await answer(request, FIFTY)

    return Starlette(routes=[Route("/one", one), Route("/fifty", fifty)], lifespan=lifespan)
