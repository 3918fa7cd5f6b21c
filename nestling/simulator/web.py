"""As much HTTP/1.1 as a provider needs, by hand: a framework would not let it reset, truncate or hang on purpose."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

LARGEST_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reset:
    """Close with RST instead of an answer."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Half an answer, then the end."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing, until the other side gives up."""


Ending = Answer | Reset | Truncate | Hang
Handler = Callable[[Request], Awaitable[Ending]]


async def serve(handler: Handler, host: str, port: int) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            while (request := await _read(reader)) is not None and await _end(await handler(request), reader, writer):
                pass
        writer.close()

    return await asyncio.start_server(connected, host, port, backlog=1024)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if length > LARGEST_BODY:
        return None
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    return Request(method, url.path, query, headers, await reader.readexactly(length))


async def _end(ending: Ending, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer, or not; True when the connection may go on."""
    if isinstance(ending, Answer):
        writer.write(_bytes(ending))
        await writer.drain()
        return True
    if isinstance(ending, Hang):
        await reader.read(1)
    elif isinstance(ending, Truncate):
        data = _bytes(ending.answer)
        writer.write(data[: len(data) - 8])
        await writer.drain()
    else:
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _bytes(answer: Answer) -> bytes:
    body = json.dumps(answer.body).encode()
    lines = [f"HTTP/1.1 {answer.status} OK", "content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
