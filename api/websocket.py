"""graphql-transport-ws: subscriptions over one socket, with the same limits, masks and credentials as HTTP.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. A socket lives no longer than its credential is
known to be good, with the rights it had at first: every minute it is looked up again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from api import limits, metrics
from api.auth import CREDENTIALS, by_bearer, is_same_origin, session_secret
from api.config import ApiConfig
from api.context import ApiContext
from api.errors import ApiError, Code
from api.graphql import Request, run, watch
from api.trusted import TRUSTED
from domain.platform.credentials import Credential, by_session

log = structlog.get_logger("nestling.websocket")

PROTOCOL = "graphql-transport-ws"
INIT_PATIENCE_S = 5.0
CHECK_EVERY_S = 60.0
MOST_SUBSCRIPTIONS = 20  # of one socket


class Closed(Exception):
    """The socket ends with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass(slots=True)
class Socket:
    """One client's connection."""

    websocket: WebSocket
    config: ApiConfig
    credential: Credential | None = None
    header: str = ""  # the bearer it came with, looked up again while it lives
    is_initialised: bool = False
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def serve(self) -> None:
        await self.websocket.accept(PROTOCOL)
        guard = asyncio.create_task(self._guard())
        try:
            while True:
                await self._take(await self._receive())
        except Closed as end:
            await self._close(end)
        except WebSocketDisconnect:
            pass
        finally:
            for task in (guard, *self.running.values()):
                task.cancel()
            await asyncio.gather(guard, *self.running.values(), return_exceptions=True)

    async def _receive(self) -> Mapping[str, Any]:
        try:
            text = await self.websocket.receive_text()
            message = orjson.loads(text) if len(text) <= limits.MOST_BODY_BYTES else None
        except (KeyError, orjson.JSONDecodeError):
            message = None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Closed(4400, "Invalid message")
        return message

    async def _take(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "connection_init":
            await self._initialise(message.get("payload"))
        elif kind == "ping":
            await self._send({"type": "pong"})
        elif kind == "subscribe":
            self._subscribe(message)
        elif kind == "complete":
            task = self.running.pop(str(message.get("id")), None)
            if task is not None:
                task.cancel()
        elif kind != "pong":
            raise Closed(4400, "Invalid message")

    async def _initialise(self, payload: Any) -> None:
        if self.is_initialised:
            raise Closed(4429, "Too many initialisation requests")
        given = payload if isinstance(payload, dict) else {}
        self.header = str(given.get("authorization") or given.get("Authorization") or "") or self.websocket.headers.get(
            "authorization", ""
        )
        self.credential = await self._look_up()
        if self.credential is None:
            raise Closed(4403, "Forbidden")
        self.is_initialised = True
        await self._send({"type": "connection_ack"})

    async def _look_up(self) -> Credential | None:
        if self.header:
            try:
                return await by_bearer(self.header)
            except ApiError:
                return None
        secret = session_secret(self.websocket, self.config)
        if secret is None or not is_same_origin(self.websocket, self.config):
            return None
        return await CREDENTIALS.find(secret, by_session)

    async def _guard(self) -> None:
        """End sockets that never introduce themselves, and those whose credential has ended or has other rights now."""
        await asyncio.sleep(INIT_PATIENCE_S)
        if not self.is_initialised:
            await self._close(Closed(4408, "Connection initialisation timeout"))
            return
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            if not await self._is_still_good():
                await self._close(Closed(4403, "Forbidden"))
                return

    async def _is_still_good(self) -> bool:
        """Whether the credential stands as it did; what cannot be looked up is not good."""
        try:
            found = await self._look_up()
        except Exception as error:  # noqa: BLE001  # a guard that dies would let the socket live for ever
            log.warning("credential not looked up", failure=type(error).__name__)
            return False
        return found is not None and self.credential is not None and found.actor == self.credential.actor

    def _subscribe(self, message: Mapping[str, Any]) -> None:
        key, payload = message.get("id"), message.get("payload")
        if not self.is_initialised:
            raise Closed(4401, "Unauthorized")
        if not isinstance(key, str) or not key or not isinstance(payload, dict):
            raise Closed(4400, "Invalid message")
        variables, name = payload.get("variables") or {}, payload.get("operationName")
        if not isinstance(variables, dict) or not isinstance(name, str | None):
            raise Closed(4400, "Invalid message")
        if key in self.running:
            raise Closed(4409, "Subscriber already exists")
        if len(self.running) >= MOST_SUBSCRIPTIONS:
            raise Closed(4429, "Too many subscriptions")
        try:
            request: Request | ApiError = Request(TRUSTED.asked(payload), variables, name)
        except ApiError as error:
            if error.code is Code.BAD_REQUEST:
                raise Closed(4400, "Invalid message") from None
            request = error
        metrics.SUBSCRIPTIONS.inc()
        self.running[key] = asyncio.create_task(self._answer(key, request))

    async def _answer(self, key: str, request: Request | ApiError) -> None:
        assert self.credential is not None
        if isinstance(request, ApiError):
            self.running.pop(key, None)
            await self._send({"id": key, "type": "error", "payload": [request.formatted]})
            return
        context = ApiContext(
            caller=self.credential.actor, config=self.config, language=_language(self.credential.language)
        )
        events = await watch(request, context)
        if isinstance(events, AsyncIterator):
            async with contextlib.aclosing(events) as source:  # type: ignore[type-var]
                async for body in source:
                    if "data" not in body:
                        self.running.pop(key, None)
                        await self._send({"id": key, "type": "error", "payload": body["errors"]})
                        return
                    await self._send({"id": key, "type": "next", "payload": body})
        else:
            answer = await run(request, context)
            if answer.is_executed:
                await self._send({"id": key, "type": "next", "payload": answer.body})
            else:
                self.running.pop(key, None)
                errors = [error.formatted for error in events] or answer.body["errors"]
                await self._send({"id": key, "type": "error", "payload": errors})
                return
        if self.running.pop(key, None) is not None:
            await self._send({"id": key, "type": "complete"})

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self.websocket.send_text(orjson.dumps(message).decode())

    async def _close(self, end: Closed) -> None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self.websocket.close(end.code, end.reason)


def _language(tag: str) -> str:
    return "zh-Hans" if tag.lower().startswith("zh") else "en"


async def graphql_websocket(websocket: WebSocket) -> None:
    """The socket's end point. A browser that brings a cookie must come from our own pages."""
    if PROTOCOL not in websocket.scope.get("subprotocols", ()):
        await websocket.close(4406)
        return
    await Socket(websocket, websocket.app.state.config).serve()
