"""The worker process: our own loop. Lanes deliver, the relay and the sweeper look, jobs run, bells only wake.

Starts without a Redis and without a database (and waits for that one); stops gracefully when asked.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvloop
from tortoise import Tortoise

from channels.registry import open_providers
from domain.care.handovers import open_from_message
from domain.database import connection, tortoise_config
from domain.gateway import suppressions
from domain.gateway.renderings import Letterhead
from domain.gateway.unsubscribes import UnsubscribeLinks
from domain.platform.ids import new_id
from workers import listening
from workers.bell import Bell
from workers.config import WorkerConfig
from workers.daily import daily_jobs
from workers.database import step
from workers.doorbell import Doorbell, NoWaker
from workers.jobs import Jobs
from workers.lanes import Lane
from workers.relay import relay
from workers.segments import keep_segments
from workers.sweeping import Sweeper

log = logging.getLogger("nestling.worker")

CANCEL_AGAIN_SECONDS = 3.0
CLOSE_SECONDS = 3.0


def run_worker(config: WorkerConfig) -> None:
    """Work until SIGTERM or SIGINT: then claim nothing more, finish what is in flight, give the rest back."""
    uvloop.run(_until_signalled(config))  # as the web process does


async def _until_signalled(config: WorkerConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await work(config, stop)


async def work(config: WorkerConfig, stop: asyncio.Event) -> None:
    """The whole worker, until `stop` is set."""
    owner = f"{socket.gethostname()[:24]}:{os.getpid()}:{new_id().hex[-8:]}"
    suppressions.use_key(config.address_hash_key.encode())
    await Tortoise.init(
        config=tortoise_config(config.database_url, max_size=config.pool_size), _enable_global_fallback=True
    )
    providers = open_providers(config.channels, open_from_message)
    doorbell = Doorbell()
    bell = Bell(config.redis_url, doorbell) if config.redis_url else None
    try:
        await _database(stop)
        log.info("worker %s: %s", owner, ", ".join(sorted(providers.by_channel)))
        poll = config.poll.total_seconds()
        waker = bell or NoWaker()
        links = UnsubscribeLinks(config.public_url, config.secret_key.encode())
        letterhead = Letterhead(config.brand_name, links)
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(relay(doorbell, waker, poll), name="relay"),
                group.create_task(Sweeper(providers, doorbell, config.sweep.total_seconds()).run(), name="sweeper"),
                group.create_task(keep_segments(doorbell, config.sweep.total_seconds()), name="segments"),
                group.create_task(listening.listen(config.database_url, doorbell), name="listener"),
            ]
            if bell is not None:
                helpers.append(group.create_task(bell.listen(), name="bell"))
            if config.runs_jobs:
                jobs = Jobs(owner, daily_jobs(config), config.time_zone, doorbell, waker, poll)
                helpers.append(group.create_task(jobs.run(), name="jobs"))
            lanes = [
                Lane(owner, one, letterhead, doorbell, config.concurrency, config.poll).run(stop)
                for one in providers.by_channel.values()
            ]
            await asyncio.gather(*lanes, stop.wait())
            await _end(helpers)
    finally:
        if bell is not None:
            await _close("bell", bell.close)
        await _close("providers", providers.close)
        await _close("database", Tortoise.close_connections)
    log.info("worker %s: ended", owner)


async def _end(helpers: Sequence["asyncio.Task[None]"]) -> None:
    """Cancel them until they have ended: a library may lose one cancellation, and a worker that hangs is killed."""
    while helpers:
        for helper in helpers:
            helper.cancel()
        _, pending = await asyncio.wait(helpers, timeout=CANCEL_AGAIN_SECONDS)
        for late in pending:
            log.warning("%s has not ended yet", late.get_name())
        helpers = list(pending)


async def _close(name: str, close: Callable[[], Awaitable[None]]) -> None:
    """Everything is in the database by now: what does not close in time is left to the end of the process."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await close()
    except (OSError, TimeoutError) as failure:
        log.warning("the %s did not close: %s", name, type(failure).__name__)


async def _database(stop: asyncio.Event) -> None:
    """Wait until the database answers."""
    while not stop.is_set():
        if await step("database", lambda: connection().execute_query_dict("SELECT 1 AS one"), list[dict[Any, Any]]()):
            return
