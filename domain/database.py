"""The one database: which modules hold tables, and the connection that verbs write through."""

from typing import Any
from urllib.parse import unquote, urlsplit

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection

APP = "nestling"
MODEL_MODULES = [
    "domain.people.households",
    "domain.people.members",
    "domain.people.identities",
    "domain.people.identity_blocks",
    "domain.people.merges",
    "domain.people.merge_suggestions",
    "domain.people.duplicates",
    "domain.people.babies",
    "domain.people.owners",
    "domain.people.tags",
    "domain.people.consents",
    "domain.people.guardians",
    "domain.people.erasures",
    "domain.people.tombstones",
    "domain.commerce.stores",
    "domain.commerce.staff",
    "domain.commerce.products",
    "domain.commerce.orders",
    "domain.care.interactions",
    "domain.care.questions",
    "domain.care.callbacks",
    "domain.care.losses",
    "domain.outreach.decisions",
    "domain.outreach.templates",
    "domain.outreach.care_ahead",
    "domain.outreach.care_runs",
    "domain.gateway.messages",
    "domain.gateway.outbox",
    "domain.gateway.receipts",
    "domain.gateway.suppressions",
    "domain.insight.models",
    "domain.insight.scores",
    "domain.segments.facts",
    "domain.segments.segments",
    "domain.platform.accounts",
    "domain.platform.sessions",
    "domain.platform.tokens",
    "domain.platform.audit",
    "domain.platform.idempotency",
    "domain.platform.imports",
    "domain.platform.clock",
    "domain.platform.cron",
    "domain.platform.demo_steps",
]


def tortoise_config(url: str, *, min_size: int = 1, max_size: int = 10) -> dict[str, Any]:
    """Tortoise's configuration for a PostgreSQL URL (postgres:// or postgresql://). Sessions speak UTC."""
    parts = urlsplit(url)
    return {
        "connections": {
            "default": {
                "engine": "domain.postgres",
                "credentials": {
                    "host": parts.hostname or "127.0.0.1",
                    "port": parts.port or 5432,
                    "user": unquote(parts.username or "postgres"),
                    "password": unquote(parts.password or ""),
                    "database": parts.path.lstrip("/"),
                    "min_size": min_size,
                    "max_size": max_size,
                    # jit: compiling a statement of many parts takes seconds, running it a few milliseconds
                    "server_settings": {"timezone": "UTC", "application_name": "nestling", "jit": "off"},
                },
            }
        },
        "apps": {APP: {"models": MODEL_MODULES, "default_connection": "default", "migrations": "migrations"}},
        "use_tz": True,
        "timezone": "UTC",
    }


def connection() -> BaseDBAsyncClient:
    """The current connection: inside `in_transaction()` the transaction's own, else the pool."""
    return get_connection("default")
