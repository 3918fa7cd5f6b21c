"""The floor of the reading benches: a plain endpoint over one hand-written statement, as fast as we can write it.

A prepared statement on an asyncpg pool that is never reset, the JSON text of PostgreSQL as bytes straight into the
response. It knows nobody: no authentication, no scope, no limits.
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

DOCUMENTS = Path(__file__).parent / "documents"
PROFILE = (DOCUMENTS / "profile.sql").read_text()
ONE = f"""SELECT convert_to(json_build_object('data', json_build_object('profile', ({PROFILE})))::text, 'UTF8')
FROM members m
JOIN households h ON h.id = m.household_id
LEFT JOIN stores s ON s.id = m.store_id
LEFT JOIN staff w ON w.id = m.owner_id
WHERE m.id = $1"""
FIFTY = f"""SELECT convert_to(json_build_object('data', json_build_object('found', json_build_object(
  '__typename', 'MemberConnection',
  'edges', coalesce(json_agg(json_build_object('__typename', 'MemberEdge', 'node', {PROFILE}) ORDER BY m.id)
    FILTER (WHERE m.place <= 50), '[]'),
  'pageInfo', json_build_object('__typename', 'PageInfo', 'hasNextPage', count(*) > 50))))::text, 'UTF8')
FROM (
  SELECT tagged.*, row_number() OVER (ORDER BY id) AS place
  FROM members tagged
  WHERE id IN (
    SELECT u.member_id FROM member_tags u JOIN tags k ON k.id = u.tag_id
    WHERE k.key = $1 AND u.removed_at IS NULL AND (u.expires_at IS NULL OR u.expires_at > (SELECT business_now())))
  ORDER BY id LIMIT 51) m
JOIN households h ON h.id = m.household_id
LEFT JOIN stores s ON s.id = m.store_id
LEFT JOIN staff w ON w.id = m.owner_id"""

PAGE = (DOCUMENTS / "search_page.sql").read_text()
HITS = {
    "phone": """id IN (SELECT member_id FROM identities
      WHERE reverse(value) ~>=~ $2 AND reverse(value) ~<~ $3 AND kind = 'PHONE')""",
    "name": "full_name ~>=~ $2 AND full_name ~<~ $3",
    # Beginning of the name, of its key or of its initials.
    "latin": """id IN (SELECT id FROM members WHERE full_name ~>=~ $2 AND full_name ~<~ $3
      UNION SELECT id FROM members WHERE name_key ~>=~ $4 AND name_key ~<~ $5
      UNION SELECT id FROM members WHERE name_initials ~>=~ $4 AND name_initials ~<~ $5)""",
    "tag": """id IN (SELECT u.member_id FROM member_tags u
      WHERE u.tag_id = (SELECT id FROM tags WHERE key = $2) AND u.removed_at IS NULL
        AND (u.expires_at IS NULL OR u.expires_at > (SELECT business_now())))""",
}
"""By what is known of them. Ranges in byte order, which a cached plan finds by the index, unlike LIKE."""
PAGES = {by: PAGE.replace("{hits}", hits) for by, hits in HITS.items()}


def beginning(text: str) -> tuple[str, str]:
    """The range of the texts that begin so."""
    return text, text[:-1] + chr(ord(text[-1]) + 1)


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

    async def answer(request: Request, sql: str, named: object) -> Response:
        orders, words = int(request.query_params["orders"]), int(request.query_params["words"])
        async with request.app.state.pool.acquire() as connection:
            text = await connection.fetchval(sql, named, orders, words)
        return Response(text, media_type="application/json")

    async def one(request: Request) -> Response:
        return await answer(request, ONE, UUID(request.query_params["id"]))

    async def fifty(request: Request) -> Response:
        return await answer(request, FIFTY, request.query_params["tag"])

    async def search(request: Request) -> Response:
        by, text = request.query_params["by"], request.query_params["text"]
        values: list[object] = [text] if by == "tag" else [*beginning(text[::-1] if by == "phone" else text)]
        if by == "latin":
            values += beginning(request.query_params["key"])
        async with request.app.state.pool.acquire() as connection:
            found = await connection.fetchval(PAGES[by], int(request.query_params["first"]), *values)
        return Response(found, media_type="application/json")

    routes = [Route("/one", one), Route("/fifty", fifty), Route("/search", search)]
    return Starlette(routes=routes, lifespan=lifespan)
