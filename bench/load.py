"""A load generator that costs little itself: prepared HTTP/1.1 requests, one at a time on each kept connection."""

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import cast
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """What a burst came to. CPU is the generator's own, to see that it is not what limits."""

    requests: int
    seconds: float
    cpu_seconds: float
    latencies: list[float]  # seconds, of each request

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the requests kept: 0.5 the median, 0.99 all but the slowest hundredth."""
        return 1000 * sorted(self.latencies)[min(int(share * self.requests), self.requests - 1)]


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
    """Sends the next request when the last is answered, until time is up or none is left. All but 200 ends the run."""

    def __init__(self, requests: Iterator[bytes], until: float, done: asyncio.Future[list[float]]) -> None:
        self._requests = requests
        self._until = until
        self._done = done
        self._buffer = bytearray()
        self._expected = -1
        self._sent = 0.0
        self._latencies: list[float] = []
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour, not by class
        self._next(time.perf_counter())

    def _next(self, now: float) -> None:
        request = next(self._requests, None) if now < self._until else None
        if request is None:
            self._is_over = True
            self._transport.close()
        else:
            self._sent = now
            self._transport.write(request)

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
            now = time.perf_counter()
            self._latencies.append(now - self._sent)
            self._next(now)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            if self._is_over:
                self._done.set_result(self._latencies)
            else:
                self._done.set_exception(exc or RuntimeError("the server closed the connection"))

    def _fail(self, failure: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(failure)
        self._transport.abort()


async def hammer(
    url: str, requests: list[bytes], *, connections: int, seconds: float = math.inf, times: int | None = None
) -> Load:
    """Send the requests in turn, over and over, for so many seconds or so many times. Raises on any answer but 200."""
    assert seconds < math.inf or times is not None
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    supply = islice(cycle(requests), times)
    started, cpu = time.perf_counter(), time.process_time()
    futures: list[asyncio.Future[list[float]]] = [loop.create_future() for _ in range(connections)]
    for future in futures:
        await loop.create_connection(
            lambda future=future: _Connection(supply, started + seconds, future),  # type: ignore[misc]
            parts.hostname or "127.0.0.1",
            parts.port or 80,
        )
    latencies = [latency for found in await asyncio.gather(*futures) for latency in found]
    return Load(len(latencies), time.perf_counter() - started, time.process_time() - cpu, latencies)
