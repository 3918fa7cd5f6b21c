"""POST /hooks/{provider}: what providers call back. Verified, normalised by the channel, stored, then answered.

A forged or unreadable request gets 401 or 400, never 500. 204 means that it is in the database; when the database is
away the answer is 503, and the provider tries again.
"""

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tortoise.exceptions import DBConnectionError, OperationalError

from api.config import ApiConfig
from channels.registry import open_providers
from domain.gateway import hearing
from domain.gateway.delivery import Malformed, NotGenuine

LARGEST_BODY = 1024 * 1024  # bytes
DATABASE_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBConnectionError, OperationalError)


def hook_routes(config: ApiConfig) -> list[Route]:
    """One route for all providers of this installation; a provider that it has not is 404."""
    providers = open_providers(config.channels)  # nothing is connected: only their receive() is used

    async def called_back(request: Request) -> Response:
        provider = providers.named(request.path_params["provider"])
        if provider is None:
            return Response(status_code=404)
        body = await _body(request)
        if body is None:
            return Response(status_code=413)
        received = provider.receive(request.headers, body)
        if isinstance(received, NotGenuine):
            return Response(status_code=401)
        if isinstance(received, Malformed):
            return Response(status_code=400)
        try:
            await hearing.record(provider.name, provider.channel, received)
        except DATABASE_AWAY:
            return Response(status_code=503, headers={"Retry-After": "5"})
        return Response(status_code=204)

    return [Route("/hooks/{provider}", called_back, methods=["POST"])]


async def _body(request: Request) -> bytes | None:
    """The raw bytes, or None when there are too many."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return body
