"""Changes: one listening connection a process, fanned out to whoever watches. A lost word costs a refresh, no truth."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import structlog

from domain.platform.changes import CALLBACK_LIST, CREDENTIALS, MEMBER_TIMELINE

log = structlog.get_logger("nestling.changes")

TOPICS = (MEMBER_TIMELINE, CALLBACK_LIST, CREDENTIALS)
MOST_WAITING = 100  # words that a slow watcher may be behind; then the oldest are dropped
RETRY_S = 1.0


class Changes:
    """Listens while open; reconnects by itself."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Queue[str]]] = defaultdict(set)
        self._callbacks: dict[str, list[Callable[[], None]]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self.is_listening = asyncio.Event()

    def open(self, database_url: str) -> None:
        assert self._task is None, "open already"
        self._task = asyncio.create_task(self._listen(database_url))

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.is_listening.clear()

    def on(self, topic: str, callback: Callable[[], None]) -> None:
        """Call back at every word on the topic, and whenever words may have been lost."""
        self._callbacks[topic].append(callback)

    @contextlib.contextmanager
    def _watching(self, topic: str) -> Iterator[asyncio.Queue[str]]:
        queue: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self._watchers[topic].add(queue)
        try:
            yield queue
        finally:
            self._watchers[topic].discard(queue)

    async def watch(self, topic: str) -> AsyncIterator[str]:
        """The words on a topic from now on."""
        with self._watching(topic) as queue:
            await asyncio.wait_for(self.is_listening.wait(), timeout=5)
            while True:
                yield await queue.get()

    def _hear(self, _connection: Any, _pid: int, topic: str, word: str) -> None:
        for callback in self._callbacks[topic]:
            callback()
        for queue in self._watchers[topic]:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(word)

    async def _listen(self, database_url: str) -> None:
        while True:
            try:
                await self._listen_once(database_url)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as failure:
                log.warning("listening_lost", failure=type(failure).__name__)
            self.is_listening.clear()
            await asyncio.sleep(RETRY_S)

    async def _listen_once(self, database_url: str) -> None:
        connection = await asyncpg.connect(database_url, server_settings={"application_name": "nestling-changes"})
        try:
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            for topic in TOPICS:
                await connection.add_listener(topic, self._hear)
            for callbacks in self._callbacks.values():
                for callback in callbacks:
                    callback()  # words of the time without a connection are lost
            self.is_listening.set()
            await lost.wait()
        finally:
            await connection.close(timeout=2)


CHANGES = Changes()


def watch(topic: str) -> AsyncIterator[str]:
    """The ids that are announced on a topic from now on."""
    return CHANGES.watch(topic)
