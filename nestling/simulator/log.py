"""The log: append-only JSON Lines, on the disk before the simulator answers. It is the oracle of the delivery tests."""

import asyncio
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One request and what it did. No address and no text is kept, only their SHA-256."""

    at: str  # real clock, ISO 8601
    channel: str
    provider: str
    key: str
    client_ref: str
    to_hash: str
    body_sha256: str
    effect: (
        str  # accepted: the message went out by this request; refused: it never will; none: nothing (or nothing new)
    )
    answer: str  # the HTTP or SMTP status, "timeout" or "reset"
    provider_ref: str


def sha256(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat()


class Log:
    """Many writers, one fsync for all who wait: `append` returns when its line is on the disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_end(path)
        self._file = path.open("ab", buffering=0)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._bell = asyncio.Event()
        self._task = asyncio.create_task(self._write(), name="log")

    async def append(self, line: Line) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((json.dumps(asdict(line), ensure_ascii=False).encode() + b"\n", done))
        self._bell.set()
        await done

    async def close(self) -> None:
        """Whoever still waits for its line gets no answer: to the other side that is a reset."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._file.close()

    async def _write(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._sync, b"".join(line for line, _ in batch))
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    def _sync(self, data: bytes) -> None:
        self._file.write(data)
        os.fsync(self._file.fileno())


def read(path: Path) -> Iterator[Line]:
    """The lines so far; a torn last line (killed while writing, hence never answered) is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for raw in file:
            if raw.endswith(b"\n"):
                yield Line(**json.loads(raw))


def _drop_torn_end(path: Path) -> None:
    if path.exists() and (data := path.read_bytes()) and not data.endswith(b"\n"):
        path.write_bytes(data[: data.rfind(b"\n") + 1])
