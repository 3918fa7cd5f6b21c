"""A load generator that costs little itself: prepared HTTP/1.1 requests, one at a time on each kept connection."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import cast
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """What a burst came to. CPU is the generator's own, to see that it is not what limits."""

    requests: int
    seconds: float
    cpu_seconds: float


def prepared(url: str, *, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
    """A request as it goes over the wire: POST with a JSON body, else GET."""
    parts = urlsplit(url)
    lines = [
        f"{'GET' if body is None else 'POST'} {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class _Connection(asyncio.Protocol):
    """Sends the next request when the last is answered, until time is up. Anything but 200 ends the run."""

    def __init__(self, requests: Iterator[bytes], until: float, done: asyncio.Future[int]) -> None:
        self._requests = requests
        self._until = until
        self._done = done
        self._buffer = bytearray()
        self._expected = -1
        self._answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour, not by class
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._expected < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                self._fail(RuntimeError(f"the server answered {bytes(self._buffer[:300])!r}"))
                return
            length = head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
            self._expected = end + 4 + int(length)
        if len(self._buffer) >= self._expected:
            self._buffer.clear()
            self._expected = -1
            self._answered += 1
            if time.perf_counter() < self._until:
                self._transport.write(next(self._requests))
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            if exc is not None or time.perf_counter() < self._until:
                self._done.set_exception(exc or RuntimeError("the server closed the connection"))
            else:
                self._done.set_result(self._answered)

    def _fail(self, failure: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(failure)
        self._transport.abort()


async def hammer(url: str, requests: list[bytes], *, connections: int, seconds: float) -> Load:
    """Send the requests in turn, over and over, for so many seconds. Raises on any answer but 200."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    supply = cycle(requests)
    started, cpu = time.perf_counter(), time.process_time()
    futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(connections)]
    for future in futures:
        await loop.create_connection(
            lambda future=future: _Connection(supply, started + seconds, future),  # type: ignore[misc]
            parts.hostname or "127.0.0.1",
            parts.port or 80,
        )
    answered = sum(await asyncio.gather(*futures))
    return Load(answered, time.perf_counter() - started, time.process_time() - cpu)
