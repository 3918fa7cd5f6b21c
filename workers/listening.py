"""LISTEN: a verb that commits work says so over PostgreSQL itself. Optional like every bell."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import asyncpg

from domain.platform.changes import OUTBOX_BELL
from workers.doorbell import DELIVER, JOBS, Doorbell

log = logging.getLogger("nestling.worker.listening")

RETRY_SECONDS = 2.0
BREATH_SECONDS = 0.1  # a server that cuts every connection at once is not asked in a tight loop
LISTENER = "nestling-bell"
"""How PostgreSQL calls the connection of a worker that listens: who wants to know whether one runs looks for it."""
WORKER_IS_SEEN = f"""
(EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{LISTENER}')
 OR EXISTS (SELECT FROM cron_ticks WHERE state = 'RUNNING' AND lease_until > clock_timestamp()))
"""  # noqa: S608  # our own word
"""A condition: some worker listens on this database, or keeps the lease of a job. One that was killed in the middle
of a job counts until that lease lapses; one that lost its connection is back within RETRY_SECONDS."""
LOOK_SECONDS = 20.0  # a connection that died without a word (a cable, a firewall) is noticed after this
WAIT_SECONDS = 5.0  # for any one answer of the server


async def listen(database_url: str, doorbell: Doorbell) -> None:
    """Until cancelled: ring the doorbell at each word on OUTBOX_BELL. A payload that is not a job's means delivery.

    A connection that was cut is noticed at once and made again; what was said meanwhile is looked for by one ring.
    """

    def heard(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        doorbell.ring(JOBS if payload == JOBS else DELIVER)

    while True:
        connection: asyncpg.Connection | None = None
        lost = asyncio.Event()
        try:
            connection = await asyncpg.connect(
                database_url, timeout=WAIT_SECONDS, server_settings={"application_name": LISTENER}
            )
            connection.add_termination_listener(lambda _, lost=lost: lost.set())
            await connection.add_listener(OUTBOX_BELL, heard)
            doorbell.ring(DELIVER)
            doorbell.ring(JOBS)
            while not lost.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), LOOK_SECONDS)
                    break
                await connection.execute("SELECT 1", timeout=WAIT_SECONDS)
            log.info("the connection that listens was cut; it is made again")
            await asyncio.sleep(BREATH_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            if connection is not None:
                with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection.terminate()
