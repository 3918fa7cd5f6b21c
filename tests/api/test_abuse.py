"""What is meant to hurt is refused: with a code, without SQL, in few words, at little more than the least cost."""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
import pytest_asyncio

from api.app import create_app, reading
from api.auth import CREDENTIALS
from api.config import ApiConfig
from domain.platform.accounts import create_account
from domain.platform.roles import Role
from domain.platform.tokens import Issued, issue_personal_token
from tests.api.abuse import ABUSE, Abuse

MOST_BYTES = 10_000
MOST_COST = 20  # times `{ __typename }` by the same way, both read for the first time
MOST_DELAY = 20  # times as long as alone, for a known small query while four others do their worst
SMALL = Abuse("", "{ __typename }")
HONEST = Abuse("", content=b'{"query": "{ viewer { role } stores(first: 1) { totalCount } }"}')  # known after the first
NUMBERS = itertools.count()

Send = Callable[[Abuse], Awaitable[httpx.Response]]


@pytest_asyncio.fixture
async def send(config: ApiConfig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Send]:
    """Sends a request as an operator, who may see everything; her token is looked up once."""
    CREDENTIALS.clear()
    monkeypatch.setattr("api.auth.CACHED_S", 3600.0)
    await create_account("ops", "correct horse battery", Role.OPERATOR)
    issued = await issue_personal_token("ops", "abuse")
    assert isinstance(issued, Issued)
    who = {"authorization": f"Bearer {issued.secret}"}
    async with reading(config):
        transport = httpx.ASGITransport(app=create_app(config))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=who) as client:

            async def sent(abuse: Abuse) -> httpx.Response:
                return await client.request(url="/graphql", **abuse.sent(next(NUMBERS)))

            assert (await sent(SMALL)).json() == {"data": {"__typename": "Query"}}
            yield sent


async def cost(send: Send, abuse: Abuse) -> tuple[float, httpx.Response]:
    started = time.process_time()
    answer = await send(abuse)
    return time.process_time() - started, answer


def refused(answer: httpx.Response, code: str) -> str:
    """What is wrong with the refusal, empty when nothing is."""
    body: dict[str, Any] = orjson.loads(answer.content)
    codes = {error["extensions"]["code"] for error in body.get("errors", ())}
    if codes != {code}:
        return f"answered {sorted(codes) or body}"
    if any(value is not None for value in (body.get("data") or {}).values()):
        return "answered with data"
    return f"{len(answer.content)} bytes" if len(answer.content) >= MOST_BYTES else ""


async def test_abuse_is_refused_at_once_and_without_sql(send: Send, config: ApiConfig) -> None:
    """PostgreSQL says itself whether any of our connections was sent a statement."""
    watcher = await asyncpg.connect(config.database_url)
    heard = "SELECT array_agg((pid, query_start) ORDER BY pid)::text FROM pg_stat_activity "
    heard += "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    wrong, dearest = dict[str, str](), dict[str, float]()
    try:
        assert await was_heard(watcher, heard, send, HONEST)
        await settled(watcher, heard)
        for name, abuse in ABUSE.items():
            least, costs, said = [], [], ""
            before = await watcher.fetchval(heard)
            for _ in range(3):
                least.append((await cost(send, SMALL))[0])
                spent, answer = await cost(send, abuse)
                costs.append(spent)
                said = said or refused(answer, abuse.code)
            if await watcher.fetchval(heard) != before and await sends_sql(watcher, heard, send, abuse):
                said = said or "SQL was sent"
            dearest[name] = min(costs) / min(least)  # the least of each: what else runs here only adds
            if dearest[name] > MOST_COST:
                said = said or f"{dearest[name]:.0f} times the least cost"
            if said:
                wrong[name] = said
    finally:
        await watcher.close()
    assert wrong == {}
    assert len(ABUSE) >= 60


async def sends_sql(watcher: Any, heard: str, send: Send, abuse: Abuse) -> bool:
    """Each time that it is asked alone: what a pool or a listener does now and then is not its doing."""
    for _ in range(3):
        await settled(watcher, heard)
        before = await watcher.fetchval(heard)
        await send(abuse)
        if await watcher.fetchval(heard) == before:
            return False
    return True


async def settled(watcher: Any, heard: str) -> None:
    """Until nothing is sent any more: a pool resets a connection behind the back of whoever gave it back."""
    async with asyncio.timeout(20):
        before = None
        while (now := await watcher.fetchval(heard)) != before:
            before = now
            await asyncio.sleep(0.3)


async def was_heard(watcher: Any, heard: str, send: Send, honest: Abuse) -> bool:
    """Whether the watcher notices an honest query: it could not tell otherwise that there was none."""
    before = await watcher.fetchval(heard)
    assert "errors" not in (await send(honest)).json()
    return bool(await watcher.fetchval(heard) != before)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0, text/plain"])
async def test_what_takes_neither_media_type_gets_nothing(send: Send, accept: str) -> None:
    answer = await send(Abuse("", "{ __typename }", headers={"content-type": "application/json", "accept": accept}))
    assert answer.status_code in (200, 406)
    assert answer.status_code == 406 or "application/json" in accept
    assert len(answer.content) < 100


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE"])
async def test_other_methods_run_nothing_of_a_body(send: Send, method: str) -> None:
    answer = await send(Abuse("", "mutation { __typename }", method=method))
    assert answer.status_code == (400 if method == "HEAD" else 405)
    assert len(answer.content) < 200


async def test_a_small_query_beside_a_storm_of_abuse_stays_quick(send: Send) -> None:
    async def waited() -> float:
        started = time.perf_counter()
        await asyncio.sleep(0)  # it arrives, and is taken up when it is its turn
        assert "errors" not in (await send(HONEST)).json()
        return time.perf_counter() - started

    alone = statistics.median([await waited() for _ in range(100)])
    until = time.perf_counter() + 1

    async def storm(start: int) -> int:
        sent = 0
        for abuse in itertools.islice(itertools.cycle(ABUSE.values()), start, None):
            if time.perf_counter() > until:
                break
            await send(abuse)
            sent += 1
            await asyncio.sleep(0)
        return sent

    storms = [asyncio.create_task(storm(len(ABUSE) * part // 4)) for part in range(4)]
    beside = []
    while time.perf_counter() < until:
        beside.append(await waited())
    assert sum(await asyncio.gather(*storms)) > 20
    assert statistics.median(beside) < MOST_DELAY * alone
