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
LISTENER = "nestling-bell"
"""How PostgreSQL calls the connection of a worker that listens: who wants to know whether one runs looks for it."""
LOOK_SECONDS = 20.0  # a connection that died silently is noticed after this


async def listen(database_url: str, doorbell: Doorbell) -> None:
    """Until cancelled: ring the doorbell at each word on OUTBOX_BELL. A payload that is not a job's means delivery."""

    def heard(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        doorbell.ring(JOBS if payload == JOBS else DELIVER)

    while True:
        connection: asyncpg.Connection | None = None
        try:
            connection = await asyncpg.connect(database_url, timeout=5, server_settings={"application_name": LISTENER})
            await connection.add_listener(OUTBOX_BELL, heard)
            doorbell.ring(DELIVER)
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                await connection.execute("SELECT 1", timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            if connection is not None:
                with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection.terminate()
