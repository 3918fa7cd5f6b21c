"""The golden table of the HTTP SMS channel: what each failure means, against a real server that misbehaves."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from channels.sms_http import SmsHttp, SmsHttpConfig, sign
from domain.gateway.delivery import (
    Accepted,
    Inbound,
    Malformed,
    NotGenuine,
    NotReceived,
    Outgoing,
    Receipt,
    Rejected,
    Unavailable,
    Unknown,
)

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TIMEOUT = timedelta(seconds=0.6)
KEY = UUID("6e657374-0000-4000-8000-000000000001")
REAL_NUMBER = "+8613800138000"


@asynccontextmanager
async def server(behave: Behave, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    return head + await reader.readexactly(length)


def answering(status: int, body: bytes = b'{"id": "ref-1"}', *headers: str, cut: int = 0) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *headers]
        data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        writer.write(data[: len(data) - cut])
        await writer.drain()

    return behave


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    await reader.read(1)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: each read is in time, the whole never is."""
    await request_of(reader)
    writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n")
    for _ in range(30):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


def reset(*, after_request: bool) -> Behave:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if after_request:
            await request_of(reader)
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)
    writer.write(b"this is not HTTP at all\r\n\r\n")
    await writer.drain()


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_of(reader)


def channel(port: int, *, is_test: bool = False, secret: str = "s", scheme: str = "http") -> SmsHttp:
    return SmsHttp(
        SmsHttpConfig(f"{scheme}://127.0.0.1:{port}/messages", "token", secret, timeout=TIMEOUT, is_test=is_test)
    )


def outgoing(to: str = REAL_NUMBER, *, is_synthetic: bool = False) -> Outgoing:
    return Outgoing(key=KEY, message_id=uuid4(), to=to, body="Hello, 您好", is_synthetic=is_synthetic)


GOLDEN: dict[str, tuple[Behave, type, str]] = {
    "201": (answering(201), Accepted, ""),
    "200": (answering(200), Accepted, ""),
    "200 without JSON": (answering(200, b"<html>"), Unknown, "ANSWER_UNREADABLE"),
    "200 without an id": (answering(200, b"{}"), Unknown, "ANSWER_UNREADABLE"),
    "200 with a list": (answering(200, b"[]"), Unknown, "ANSWER_UNREADABLE"),
    "201 truncated": (answering(201, cut=5), Unknown, "REMOTE_PROTOCOL_ERROR"),
    "201 without end": (answering(201, b" " * 200_000), Unknown, "ANSWER_TOO_LONG"),
    "302": (answering(302, b"", "location: http://127.0.0.1:1/"), Unknown, "HTTP_302"),
    "400": (answering(400), Rejected, "HTTP_400"),
    "401": (answering(401), Unavailable, "HTTP_401"),
    "403": (answering(403), Unavailable, "HTTP_403"),
    "404": (answering(404), Unavailable, "HTTP_404"),
    "408": (answering(408), Unknown, "HTTP_408"),
    "409": (answering(409), Unknown, "HTTP_409"),
    "418": (answering(418), Unknown, "HTTP_418"),
    "422": (answering(422), Rejected, "HTTP_422"),
    "429": (answering(429), Unavailable, "HTTP_429"),
    "500": (answering(500), Unknown, "HTTP_500"),
    "502": (answering(502), Unknown, "HTTP_502"),
    "503": (answering(503), Unknown, "HTTP_503"),
    "503 with Retry-After": (answering(503, b"", "retry-after: 7"), Unavailable, "HTTP_503"),
    "504": (answering(504), Unknown, "HTTP_504"),
    "no answer": (hang, Unknown, "TIMEOUT_ERROR"),
    "a slow answer": (drip, Unknown, "TIMEOUT_ERROR"),
    "reset after the request": (reset(after_request=True), Unknown, "READ_ERROR"),
    "closed without an answer": (close_at_once, Unknown, "REMOTE_PROTOCOL_ERROR"),
    "not HTTP": (garbage, Unknown, "REMOTE_PROTOCOL_ERROR"),
}


@pytest.mark.parametrize("case", GOLDEN)
async def test_each_failure_means_what_the_table_says(case: str) -> None:
    behave, kind, code = GOLDEN[case]
    async with server(behave) as port:
        sms = channel(port)
        outcome = await sms.send(outgoing())
        await sms.close()
    assert type(outcome) is kind, outcome
    assert getattr(outcome, "code", "") == code


async def test_a_reset_before_the_request_may_have_met_bytes_of_ours() -> None:
    """The connection was made: whether the request had left when it broke cannot be told."""
    async with server(reset(after_request=False)) as port:
        sms = channel(port)
        assert isinstance(await sms.send(outgoing()), Unknown)
        await sms.close()


async def test_no_connection_is_no_sending() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        sms = channel(taken.getsockname()[1])
        assert await sms.send(outgoing()) == Unavailable("CONNECT_ERROR")
        await sms.close()
    sms = SmsHttp(SmsHttpConfig("http://no-such-host.invalid/messages", "token", "s", timeout=timedelta(seconds=5)))
    assert await sms.send(outgoing()) == Unavailable("CONNECT_ERROR")
    await sms.close()
    sms = SmsHttp(SmsHttpConfig("nonsense://x/messages", "token", "s"))
    assert await sms.send(outgoing()) == Unavailable("MISCONFIGURED")
    await sms.close()


async def test_a_failed_tls_handshake_is_no_sending() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with server(plain) as port:
        sms = channel(port, scheme="https")
        assert await sms.send(outgoing()) == Unavailable("CONNECT_ERROR")
        await sms.close()


async def test_the_request_carries_the_key_twice_and_the_slot_survives_every_failure() -> None:
    seen: list[bytes] = []
    behaviours = [reset(after_request=True), hang, answering(500), answering(201)]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await behaviours.pop(0)(reader, writer)

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(b'HTTP/1.1 201 Created\r\ncontent-length: 11\r\n\r\n{"id": "x"}')
        await writer.drain()

    behaviours[-1] = note
    async with server(behave) as port:
        sms = SmsHttp(SmsHttpConfig(f"http://127.0.0.1:{port}/m", "tok", "s", timeout=TIMEOUT, connections=1))
        kinds = [type(await sms.send(outgoing())) for _ in range(4)]
        await sms.close()
    assert kinds == [Unknown, Unknown, Unknown, Accepted]
    head, body = seen[0].split(b"\r\n\r\n", 1)
    assert f"idempotency-key: {KEY}".encode() in head.lower()
    assert b"authorization: bearer tok" in head.lower()
    assert json.loads(body) == {"to": REAL_NUMBER, "from": "Nestling", "text": "Hello, 您好", "client_ref": str(KEY)}


@pytest.mark.parametrize("to", ["+12125550100", "+19175550199"])
async def test_a_real_provider_never_sees_a_number_that_belongs_to_nobody(to: str) -> None:
    sms = channel(1)
    assert await sms.send(outgoing(to)) == Rejected("SYNTHETIC_CONTACT")
    assert await sms.send(outgoing(REAL_NUMBER, is_synthetic=True)) == Rejected("SYNTHETIC_CONTACT")
    assert isinstance(await channel(1, is_test=True).send(outgoing(to)), Unavailable)
    await sms.close()


LOOK_UPS: dict[str, tuple[Behave, object]] = {
    "found": (answering(200, b'{"messages": [{"id": "ref-9"}]}'), Accepted("ref-9")),
    "not received": (answering(200, b'{"messages": []}'), NotReceived()),
    "404 is no word on the message": (answering(404, b'{"messages": []}'), Unavailable("HTTP_404")),
    "500": (answering(500), Unavailable("HTTP_500")),
    "not JSON": (answering(200, b"none"), Unavailable("HTTP_200")),
    "an entry without an id": (answering(200, b'{"messages": [{}]}'), Unavailable("LOOK_UP_UNREADABLE")),
    "no answer": (hang, Unavailable("TIMEOUT_ERROR")),
}


@pytest.mark.parametrize("case", LOOK_UPS)
async def test_only_an_empty_list_says_not_received(case: str) -> None:
    behave, expected = LOOK_UPS[case]
    async with server(behave) as port:
        sms = channel(port)
        assert await sms.look_up(KEY) == expected
        await sms.close()


FIXTURES = Path(__file__).parent / "payloads" / "sms_http"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EXPECTED: dict[str, object] = {
    "delivered": [Receipt("evt-1", "DELIVERED", AT, "ref-1", KEY)],
    "undelivered": [Receipt("evt-2", "UNDELIVERED", AT, "ref-1", KEY, "30003")],
    "two_events": [Receipt("evt-3", "ACCEPTED", AT, "ref-1"), Receipt("evt-4", "DELIVERED", AT, "ref-1")],
    "reply_stop": [Inbound("evt-5", "+8613800138000", "退订", AT, KEY)],
    "not_json": Malformed,
    "no_events": Malformed,
    "event_without_a_message": Malformed,
    "time_without_a_zone": Malformed,
    "unknown_type": Malformed,
    "nul_in_text": Malformed,
    "event_id_is_a_number": Malformed,
}


@pytest.mark.parametrize("case", EXPECTED)
def test_callbacks_are_normalised(case: str) -> None:
    body = (FIXTURES / f"{case}.json").read_bytes()
    received = channel(1, secret="s3cret").receive({"x-signature": sign("s3cret", body)}, body)
    expected = EXPECTED[case]
    assert (type(received) is expected) if isinstance(expected, type) else (received == expected)


def test_every_recorded_payload_has_its_expectation() -> None:
    assert {path.stem for path in FIXTURES.iterdir()} == set(EXPECTED)


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha256=00", "nonsense", "sha256=" + "é" * 64, sign("other", b"{}")]
)
def test_a_signature_that_is_not_ours_is_refused(signature: str) -> None:
    assert isinstance(channel(1, secret="s3cret").receive({"x-signature": signature}, b"{}"), NotGenuine)


def test_without_a_secret_nothing_is_genuine() -> None:
    assert isinstance(channel(1, secret="").receive({"x-signature": sign("", b"{}")}, b"{}"), NotGenuine)
