"""SMS over plain HTTP: the generic provider that most aggregators can be configured to be.

Send      POST {url}  {"to", "from", "text", "client_ref"}, bearer token, Idempotency-Key: our key -> {"id"}
Look up   GET {url}?client_ref=KEY -> {"messages": [{"id"}]}, an empty list when it never got it
Calls us  POST /hooks/sms_http  {"events": [...]}, X-Signature: sha256=HMAC-SHA-256(secret, raw body) in hex
"""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import httpx
import orjson

from domain.gateway.delivery import (
    Accepted,
    Inbound,
    LookUp,
    Malformed,
    NotGenuine,
    NotReceived,
    Outcome,
    Outgoing,
    Receipt,
    Received,
    Rejected,
    Traits,
    Unavailable,
    Unknown,
    refused_as_synthetic,
)

NAME = "sms_http"
MAX_ANSWER = 64 * 1024  # bytes; an acknowledgement is a few hundred

# A refusal is a promise that nothing was sent. Whatever is not listed here is unknown.
NEVER = frozenset({400, 410, 413, 415, 422})  # this message will never do
NOT_NOW = frozenset({401, 402, 403, 404, 405, 429})  # our account or its rate: mended without touching the message

KINDS = {
    "accepted": "ACCEPTED",
    "delivered": "DELIVERED",
    "undelivered": "UNDELIVERED",
    "bounced": "BOUNCED",
    "complained": "COMPLAINED",
}


@dataclass(frozen=True, slots=True)
class SmsHttpConfig:
    url: str
    token: str
    webhook_secret: str
    sender: str = "Nestling"
    timeout: timedelta = timedelta(seconds=10)
    connections: int = 16
    honours_keys: bool = False  # a repeated Idempotency-Key is one message, for a day at least
    can_look_up: bool = False
    is_test: bool = False


class SmsHttp:
    """Bounded: at most `connections` requests at once, each answered within `timeout`."""

    name = NAME
    channel = "SMS"

    def __init__(self, config: SmsHttpConfig) -> None:
        self._config = config
        self.traits = Traits(
            honours_keys=config.honours_keys,
            key_window=timedelta(hours=24),
            can_look_up=config.can_look_up,
            settle_time=config.timeout * 3,  # by then a request that was on its way has arrived
            timeout=config.timeout,
            is_test=config.is_test,
            concurrency=config.connections,
        )
        # One for all connections: making it reads every certificate of the machine.
        is_https = config.url.lower().startswith("https:")
        self._tls = ssl.create_default_context() if is_https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # One client of one connection for each slot: a shared pool of httpx gets slower with each connection it holds.
        self._idle: asyncio.LifoQueue[httpx.AsyncClient | None] = asyncio.LifoQueue()
        for _ in range(config.connections):
            self._idle.put_nowait(None)

    async def send(self, message: Outgoing) -> Outcome:
        """Post it once. Anything that leaves the least doubt whether the provider has it is Unknown."""
        if refused := refused_as_synthetic(message, self.traits):
            return refused
        answer = await self._ask(
            "POST",
            self._config.url,
            orjson.dumps(
                {
                    "to": message.to,
                    "from": self._config.sender,
                    "text": message.body,
                    "client_ref": str(message.key),
                }
            ),
            {"Idempotency-Key": str(message.key), "Content-Type": "application/json"},
        )
        return answer if isinstance(answer, Unavailable | Unknown) else _outcome(*answer)

    async def look_up(self, key: UUID) -> LookUp:
        """Ask whether it has a message with our key. An empty list is its word that it has not."""
        answer = await self._ask("GET", f"{self._config.url}?client_ref={key}", b"", {})
        if isinstance(answer, Unavailable | Unknown):
            return Unavailable(answer.code)
        status, _, body = answer
        found = _json(body).get("messages")
        if status != 200 or not isinstance(found, list):
            return Unavailable(f"HTTP_{status}")
        if not found:
            return NotReceived()
        ref = found[0].get("id") if isinstance(found[0], dict) else None
        return Accepted(ref) if isinstance(ref, str) and ref else Unavailable("LOOK_UP_UNREADABLE")

    def receive(self, headers: Mapping[str, str], body: bytes) -> Received:
        """Verify over the raw bytes, then normalise. Fails closed: without a secret nothing is genuine."""
        if not self._config.webhook_secret:
            return NotGenuine("no webhook secret is set")
        expected = sign(self._config.webhook_secret, body)
        if not hmac.compare_digest(headers.get("x-signature", "").encode(), expected.encode()):
            return NotGenuine("the signature does not match")
        try:
            return [_event(event) for event in orjson.loads(body)["events"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return Malformed(type(error).__name__)

    async def close(self) -> None:
        for _ in range(self._config.connections):
            client = await self._idle.get()
            if client is not None:
                await client.aclose()

    async def _ask(
        self, method: str, url: str, content: bytes, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], bytes] | Unavailable | Unknown:
        """One request on a slot of its own. After any failure the slot gets a fresh connection."""
        client = await self._idle.get()
        healthy = False
        try:
            client = client or self._open()
            async with asyncio.timeout(self._config.timeout.total_seconds()):
                async with client.stream(method, url, content=content, headers=headers) as response:
                    body = await _read(response)
            if body is None:
                return Unknown("ANSWER_TOO_LONG")
            healthy = True
            return response.status_code, response.headers, body
        except Exception as error:  # noqa: BLE001 - the golden table: what is not provably unsent is unknown
            return _failure(error)
        finally:
            if client is not None and not healthy:
                with suppress(Exception):
                    await client.aclose()
            self._idle.put_nowait(client if healthy else None)

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            # Shorter than any server's: a connection that the other side has just closed looks like a lost answer.
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=2.0),
            timeout=self._config.timeout.total_seconds(),
            headers={"Authorization": f"Bearer {self._config.token}", "User-Agent": "nestling"},
        )


def sign(secret: str, body: bytes) -> str:
    """The signature of a callback, over its raw bytes."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def _read(response: httpx.Response) -> bytes | None:
    """The body, or None when it is longer than any honest answer."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER:
            return None
    return body


def _failure(error: Exception) -> Unavailable | Unknown:
    """Not sent: no connection was made. Everything later may have reached the provider."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Unavailable(_code(error))
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        return Unavailable("MISCONFIGURED")
    return Unknown(_code(error))


def _code(error: Exception) -> str:
    """ReadTimeout -> READ_TIMEOUT."""
    name = "".join(f"_{c}" if c.isupper() else c for c in type(error).__name__).lstrip("_").upper()
    return name[:64]


def _outcome(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    code = f"HTTP_{status}"
    if status in {200, 201, 202}:
        ref = _json(body).get("id")
        return Accepted(ref) if isinstance(ref, str) and 0 < len(ref) <= 200 else Unknown("ANSWER_UNREADABLE")
    if status in NEVER:
        return Rejected(code)
    retry_after = _retry_after(headers)
    if status in NOT_NOW or (status == 503 and "retry-after" in headers):
        return Unavailable(code, retry_after)
    return Unknown(code)


def _json(body: bytes) -> dict[str, Any]:
    """The object in the body; empty when there is none."""
    try:
        value = orjson.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Seconds or an HTTP date; never more than an hour, never negative."""
    value = headers.get("retry-after", "")
    seconds: float | None = None
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        with suppress(ValueError, TypeError):
            moment = parsedate_to_datetime(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - datetime.now(UTC)).total_seconds()
    return None if seconds is None else timedelta(seconds=min(max(seconds, 0.0), 3600.0))


def _event(event: dict[str, Any]) -> Receipt | Inbound:
    at = datetime.fromisoformat(event["at"])
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    key = _text(event, "event_id", 200)
    client_ref = UUID(event["client_ref"]) if event.get("client_ref") else None
    if event["type"] == "inbound":
        return Inbound(key, _text(event, "from", 320), _text(event, "text", 4000), at, client_ref)
    ref = _text(event, "id", 200) if event.get("id") else None
    if ref is None and client_ref is None:
        raise ValueError("an event of no message")
    return Receipt(key, KINDS[event["type"]], at, ref, client_ref, str(event.get("code") or "")[:100])


def _text(event: dict[str, Any], name: str, longest: int) -> str:
    value = event[name]
    if not isinstance(value, str) or not value or len(value) > longest or "\x00" in value:
        raise ValueError(name)
    return value
