"""The web application: routes in, guards around, what must be open while it serves."""

import contextlib
import gc
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from tortoise import Tortoise

from api.auth import CREDENTIALS as KNOWN_CREDENTIALS
from api.changes import CHANGES
from api.config import ApiConfig
from api.declarations import check_declarations
from api.guards import Guards
from api.health import live, metrics, ready
from api.hooks import hook_routes
from api.http import GraphQL
from api.pages import routes as page_routes
from api.reads import close_reads, open_reads
from api.schema import build_schema
from api.trusted import TRUSTED
from api.unsubscribe import unsubscribe_routes
from api.websocket import graphql_websocket
from domain.database import tortoise_config
from domain.gateway import suppressions
from domain.platform.changes import CREDENTIALS

STATIC = Path(__file__).parent / "static"


@contextlib.asynccontextmanager
async def reading(config: ApiConfig) -> AsyncIterator[None]:
    """What reads need beside the ORM: the read pool, and the words that change what is cached."""
    schema = build_schema()
    await open_reads(config.database_url, size=config.pool_size, statement_timeout_s=config.statement_timeout_s)
    try:
        TRUSTED.open(config.trusted_documents, schema, only=config.trusted_documents_only)
        await check_declarations(schema)
        CHANGES.on(CREDENTIALS, KNOWN_CREDENTIALS.clear)
        CHANGES.open(config.database_url)
        yield
    finally:
        TRUSTED.close()
        await CHANGES.close()
        await close_reads()


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    config: ApiConfig = app.state.config
    suppressions.use_key(config.address_hash_key.encode())
    await Tortoise.init(
        config=tortoise_config(config.database_url, max_size=config.pool_size), _enable_global_fallback=True
    )
    try:
        async with reading(config):
            # What the start made stays for good: no collection of garbage need walk it, while requests wait.
            gc.collect()
            gc.freeze()
            yield
    finally:
        gc.unfreeze()
        await Tortoise.close_connections()


def routes(config: ApiConfig) -> list[BaseRoute]:
    return [
        Route("/graphql", GraphQL(), methods=["GET", "POST"]),
        WebSocketRoute("/graphql", graphql_websocket),
        Route("/live", live),
        Route("/ready", ready),
        Route("/metrics", metrics),
        Mount("/static", StaticFiles(directory=STATIC)),
        *hook_routes(config),
        *unsubscribe_routes(config),
        *page_routes,
    ]


def create_app(config: ApiConfig) -> Starlette:
    """The application for one configuration. Opens nothing before its lifespan begins."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(config.cors_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type"],
        max_age=600,
    )
    guards = Middleware(Guards, is_secure=config.cookie_secure)
    app = Starlette(
        routes=routes(config), middleware=[guards, *([cors] if config.cors_origins else [])], lifespan=lifespan
    )
    app.state.config = config
    return app
