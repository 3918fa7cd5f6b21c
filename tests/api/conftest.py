"""The API over a real database: documents run as HTTP and pages run them, without a socket between."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from api.config import ApiConfig
from api.context import ApiContext
from api.graphql import Request, run
from api.reads import close_reads, open_reads
from domain.platform import accounts, sessions
from domain.platform.actors import Actor
from domain.platform.clock import set_business_clock
from tests.factories import NOON

Ask = Callable[..., Awaitable["Response"]]


class Response:
    """What a document answered, and how many statements it took."""

    def __init__(self, body: dict[str, Any], context: ApiContext) -> None:
        self.body = body
        self.statements = context.statements

    @property
    def data(self) -> dict[str, Any]:
        assert "errors" not in self.body, self.body["errors"]
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.body.get("errors", ())]


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same argon2id with a cost that a suite can bear."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(accounts, "HASHER", quick)
    monkeypatch.setattr(sessions, "nobodys_hash", accounts.nobodys_hash.__wrapped__)  # not kept for other tests


@pytest_asyncio.fixture
async def config(db: str) -> ApiConfig:
    await set_business_clock(NOON)
    return ApiConfig(database_url=db)


@pytest_asyncio.fixture
async def ask(config: ApiConfig) -> AsyncIterator[Ask]:
    """`await ask(actor, document, **variables)`."""
    await open_reads(config.database_url, size=4, statement_timeout_s=5)

    async def run_document(actor: Actor | None, document: str, language: str = "en", **variables: Any) -> Response:
        context = ApiContext(caller=actor, config=config, language=language)
        answer = await run(Request(document, variables), context)
        return Response(answer.body, context)

    yield run_document
    await close_reads()
