"""The bell: arq on Redis. It wakes workers, whatever job somebody asks for; the rows say what there is to do.

arq's own loop ends when Redis dies, loses jobs on FLUSHALL and repeats others: so it is supervised here, every job
means "wake up and look", and nothing notices when it is gone but for up to a second's delay.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.worker import Worker, func
from redis.exceptions import RedisError

from workers.doorbell import DELIVER, JOBS, RECEIPTS, Doorbell

log = logging.getLogger("nestling.worker.bell")

QUEUE = "nestling:bell"
PATIENCE_SECONDS = 1.0  # for Redis to answer a ring
RETRY_SECONDS = 2.0
GONE = (OSError, RedisError, TimeoutError)

DAILY = ("score", "find_duplicates", "build_lists", "care_run")
RINGS = {DELIVER: DELIVER, RECEIPTS: RECEIPTS, **dict.fromkeys(DAILY, JOBS)}
"""arq job -> what it wakes. Their arguments are opaque ids; the rows are looked at, not the arguments."""


class Bell:
    """Rings the other workers, and listens to them."""

    def __init__(self, redis_url: str, doorbell: Doorbell) -> None:
        settings = RedisSettings.from_dsn(redis_url)
        settings.conn_timeout = 1
        settings.conn_retries = 0
        self._settings = settings
        self._doorbell = doorbell
        self._pool: ArqRedis | None = None
        self._deaf_until = 0.0

    async def wake(self, job: str, ids: Sequence[str]) -> None:
        """Ask some worker to look. When Redis is gone nobody is asked for a while: they look by themselves."""
        now = asyncio.get_running_loop().time()
        if now < self._deaf_until:
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if self._pool is None:
                    self._pool = await create_pool(self._settings, job_serializer=_dump, job_deserializer=json.loads)
                await self._pool.enqueue_job(job, list(ids), _queue_name=QUEUE)
        except GONE:
            self._deaf_until = now + RETRY_SECONDS
            await self._drop_pool()

    async def listen(self) -> None:
        """Until cancelled: an arq worker, started again whenever it ends."""
        was_there = None
        while True:
            worker = self._worker()
            running = asyncio.create_task(worker.async_run(), name="arq")
            try:
                is_there = await self._answers()
                if is_there is not was_there:
                    log.info("the bell is there" if is_there else "no bell: looking every second instead")
                    was_there = is_there
                await running
            except GONE:
                pass
            finally:
                await _end(worker, running)
            await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        await self._drop_pool()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                pool = await create_pool(self._settings)
                await pool.aclose()
        except GONE:
            return False
        return True

    async def _drop_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(*GONE):
                await pool.aclose()

    def _worker(self) -> Worker:
        return Worker(
            functions=[func(cast("Any", self._ringer(topic)), name=job) for job, topic in RINGS.items()],
            redis_settings=self._settings,
            queue_name=QUEUE,
            handle_signals=False,
            poll_delay=0.1,
            keep_result=0,
            max_tries=1,
            job_timeout=10,
            health_check_interval=3600,
            job_serializer=_dump,
            job_deserializer=json.loads,
            log_results=False,
        )

    def _ringer(self, topic: str) -> Callable[[dict[str, Any], list[str]], Awaitable[None]]:
        async def look(_context: dict[str, Any], _ids: list[str]) -> None:
            self._doorbell.ring(topic)

        return look


def _dump(value: dict[str, Any]) -> bytes:
    """JSON instead of pickle: what is in Redis is never run."""
    return json.dumps(value, default=str).encode()


async def _end(worker: Worker, running: "asyncio.Task[None]") -> None:
    """Cancel arq's tasks and close its connections, whatever state a lost Redis left them in."""
    for task in (getattr(worker, "main_task", None), *worker.tasks.values(), running):
        if task is not None and not task.done():
            task.cancel()
    with suppress(asyncio.CancelledError, *GONE):
        await running
    with suppress(*GONE):
        if worker._pool is not None:  # noqa: SLF001 - close() of arq expects that it handled the signals
            await worker._pool.aclose()  # noqa: SLF001
