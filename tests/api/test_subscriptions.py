"""graphql-transport-ws against a real server: what is announced arrives, as its watcher may see it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio
import uvicorn
from tortoise.transactions import in_transaction
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from api import graphql, websocket
from api.app import create_app, reading
from api.auth import CREDENTIALS
from api.changes import CHANGES
from api.config import ApiConfig
from api.schema import build_schema
from api.trusted import TRUSTED
from domain.commerce.staff import RowScope
from domain.database import connection
from domain.platform.accounts import Account, create_account
from domain.platform.changes import CALLBACK_LIST, MEMBER_TIMELINE, announce
from domain.platform.changes import CREDENTIALS as CREDENTIALS_CHANGED
from domain.platform.roles import Role
from domain.platform.sessions import LoggedIn, log_in
from domain.platform.tokens import Issued, issue_personal_token
from tests.api.orders import make_visit
from tests.factories import make_member, make_staff, make_store, make_task

PROTOCOLS = [Subprotocol("graphql-transport-ws")]
TIMELINE = """subscription($id: ID!) { memberTimelineChanged(memberId: $id) {
  name timeline(first: 1) { edges { node { ... on Interaction { topic } } } } } }"""


@pytest_asyncio.fixture
async def url(config: ApiConfig) -> AsyncIterator[str]:
    CREDENTIALS.clear()
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), port=0, lifespan="off", log_level="warning", ws="websockets-sansio")
    )
    async with reading(config):
        task = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        await task


async def token_of(scope: RowScope, **place: Any) -> str:
    staff = await make_staff(scope=scope, **place)
    login = f"login-{staff.id}"
    assert isinstance(await create_account(login, "correct horse battery", Role.ADVISOR, staff_id=staff.id), Account)
    issued = await issue_personal_token(login, "test")
    assert isinstance(issued, Issued)
    return issued.secret


@contextlib.asynccontextmanager
async def opened(url: str, token: str = "", **headers: str) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://{url}/graphql", subprotocols=PROTOCOLS, additional_headers=headers) as socket:
        await send(socket, type="connection_init", payload={"Authorization": f"Bearer {token}"} if token else {})
        yield socket


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(orjson.dumps(message).decode())


async def take(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(5):
        message: dict[str, Any] = orjson.loads(await socket.recv())
    return message


async def say(topic: str, ref: Any) -> None:
    async with in_transaction():
        await announce(topic, ref)


async def subscribe(socket: ClientConnection, key: str, query: str, **variables: Any) -> None:
    before = watchers()
    await send(socket, type="subscribe", id=key, payload={"query": query, "variables": variables})
    await until(lambda: watchers() > before and CHANGES.is_listening.is_set())


def watchers() -> int:
    return sum(len(queues) for queues in CHANGES._watchers.values())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  # looked at from outside: there is no event for it
            await asyncio.sleep(0.01)


async def test_a_timeline_that_grows_is_told_to_its_watcher(url: str) -> None:
    member, other = await make_member(), await make_member()
    async with opened(url, await token_of(RowScope.ALL)) as socket:
        assert await take(socket) == {"type": "connection_ack"}
        await subscribe(socket, "1", TIMELINE, id=f"Member:{member.id}")
        await make_visit(member, topic="weaning")
        await say(MEMBER_TIMELINE, other.id)
        await say(MEMBER_TIMELINE, member.id)
        event = await take(socket)
        changed = event["payload"]["data"]["memberTimelineChanged"]
        assert (event["type"], event["id"]) == ("next", "1")
        assert changed == {"name": "Emma Johnson", "timeline": {"edges": [{"node": {"topic": "weaning"}}]}}
        await send(socket, type="complete", id="1")
        await send(socket, type="ping")
        assert await take(socket) == {"type": "pong"}
    await until(lambda: watchers() == 0)


async def test_the_call_back_list_is_told_as_each_may_see_it(url: str) -> None:
    near, far = await make_store(), await make_store()
    task = await make_task(await make_member(store_id=near.id))
    query = "subscription { callbackListChanged { taskId task { state reasonCode } } }"
    for store, seen in ((near, {"state": "OPEN", "reasonCode": "CHURN_RISK"}), (far, None)):
        async with opened(url, await token_of(RowScope.STORE, store_id=store.id)) as socket:
            await take(socket)
            await subscribe(socket, "x", query)
            await say(CALLBACK_LIST, task.id)
            change = (await take(socket))["payload"]["data"]["callbackListChanged"]
            assert change == {"taskId": f"CallbackTask:{task.id}", "task": seen}


async def test_queries_run_over_the_socket_and_errors_end_a_subscription(url: str) -> None:
    member = await make_member()
    async with opened(url, await token_of(RowScope.STORE)) as socket:
        await take(socket)
        await send(socket, type="subscribe", id="q", payload={"query": "{ viewer { role } }"})
        assert (await take(socket))["payload"] == {"data": {"viewer": {"role": "ADVISOR"}}}
        assert await take(socket) == {"id": "q", "type": "complete"}
        await send(socket, type="subscribe", id="bad", payload={"query": "subscription { nothing }"})
        wrong = await take(socket)
        assert (wrong["type"], wrong["payload"][0]["extensions"]["code"]) == ("error", "GRAPHQL_VALIDATION_FAILED")
        payload = {"query": TIMELINE, "variables": {"id": f"Member:{member.id}"}}
        await send(socket, type="subscribe", id="far", payload=payload)
        wrong = await take(socket)
        assert (wrong["id"], wrong["type"]) == ("far", "error")
        assert wrong["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def closed_with(socket: ClientConnection) -> int | None:
    try:
        async with asyncio.timeout(8):
            while True:
                await socket.recv()
    except ConnectionClosed:
        return socket.close_code


async def test_a_socket_says_who_it_is_or_ends(url: str) -> None:
    async with opened(url) as socket:
        assert await closed_with(socket) == 4403
    async with opened(url, "nst_wrong") as socket:
        assert await closed_with(socket) == 4403
    async with connect(f"ws://{url}/graphql", subprotocols=PROTOCOLS) as socket:
        await send(socket, type="subscribe", id="1", payload={"query": TIMELINE})
        assert await closed_with(socket) == 4401


async def test_a_socket_ends_when_the_rights_of_its_credential_change(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "INIT_PATIENCE_S", 0.1)
    monkeypatch.setattr(websocket, "CHECK_EVERY_S", 0.1)
    near, far = await make_store(), await make_store()
    for change, value in (
        ("UPDATE accounts SET role = $1", "ANALYST"),
        ("UPDATE staff SET store_id = $1::uuid", far.id),
        ("UPDATE staff SET scope = $1", "OWN"),
    ):
        async with opened(url, await token_of(RowScope.STORE, store_id=near.id)) as socket:
            await take(socket)
            await subscribe(socket, "1", "subscription { callbackListChanged { taskId } }")
            await asyncio.sleep(0.5)
            await send(socket, type="ping")
            assert await take(socket) == {"type": "pong"}  # looked up again, unchanged: it stays
            await connection().execute_query(change, [value])
            await say(CREDENTIALS_CHANGED, near.id)
            assert await closed_with(socket) == 4403
        await until(lambda: watchers() == 0)


async def test_a_socket_ends_when_its_credential_cannot_be_looked_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "INIT_PATIENCE_S", 0.1)
    monkeypatch.setattr(websocket, "CHECK_EVERY_S", 0.1)

    async def broken(_header: str) -> None:
        raise ConnectionError("the database is away")

    async with opened(url, await token_of(RowScope.ALL)) as socket:
        await take(socket)
        monkeypatch.setattr(websocket, "by_bearer", broken)
        assert await closed_with(socket) == 4403


async def test_an_event_that_takes_too_long_is_told_and_the_next_one_comes(
    url: str, config: ApiConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await make_member()
    monkeypatch.setattr(graphql, "DEADLINE_S", 0.3)
    other = await asyncpg.connect(config.database_url)
    async with opened(url, await token_of(RowScope.ALL)) as socket:
        await take(socket)
        await subscribe(socket, "1", TIMELINE, id=f"Member:{member.id}")
        async with other.transaction():
            await other.execute("LOCK TABLE interactions IN ACCESS EXCLUSIVE MODE")
            await say(MEMBER_TIMELINE, member.id)
            late = await take(socket)
        assert (late["type"], late["payload"]["data"]) == ("next", None)
        assert late["payload"]["errors"][0]["extensions"]["code"] == "DEADLINE_EXCEEDED"
        await say(MEMBER_TIMELINE, member.id)
        assert (await take(socket))["payload"]["data"]["memberTimelineChanged"]["name"] == "Emma Johnson"
    await other.close()


async def test_a_cookie_opens_a_socket_from_our_own_pages_only(url: str) -> None:
    staff = await make_staff()
    await create_account("nora", "correct horse battery", Role.CONSULTANT, staff_id=staff.id)
    session = await log_in("nora", "correct horse battery", "203.0.113.9")
    assert isinstance(session, LoggedIn)
    cookie = f"nestling={session.secret}"
    async with opened(url, cookie=cookie, origin=f"http://{url}") as socket:
        assert await take(socket) == {"type": "connection_ack"}
    async with opened(url, cookie=cookie, origin="https://evil.example") as socket:
        assert await closed_with(socket) == 4403


async def test_a_watch_names_its_document_where_only_trusted_ones_are_answered(url: str, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    watch, viewer = "subscription { callbackListChanged { __typename } }", "{ viewer { role } }"
    manifest.write_bytes(orjson.dumps({"watch": watch, "viewer": viewer}))
    TRUSTED.open(str(manifest), build_schema(), only=True)  # closed with the reading
    async with opened(url, await token_of(RowScope.ALL)) as socket:
        assert (await take(socket))["type"] == "connection_ack"
        for key, payload, code in (
            ("1", {"query": "{ __typename }"}, "DOCUMENT_NOT_TRUSTED"),
            ("2", {"query": f"{watch} "}, "DOCUMENT_NOT_TRUSTED"),
            ("3", {"documentId": "nothing"}, "PERSISTED_QUERY_NOT_FOUND"),
        ):
            await send(socket, type="subscribe", id=key, payload=payload)
            answer = await take(socket)
            assert (answer["id"], answer["type"]) == (key, "error")
            assert [error["extensions"]["code"] for error in answer["payload"]] == [code]
        await send(socket, type="subscribe", id="4", payload={"documentId": "viewer"})
        assert (await take(socket))["payload"] == {"data": {"viewer": {"role": "ADVISOR"}}}
        assert await take(socket) == {"id": "4", "type": "complete"}
        before = watchers()
        await send(socket, type="subscribe", id="5", payload={"documentId": "watch"})
        await until(lambda: watchers() > before)
