"""What a doctor looks at: packages, disk, services, migrations, worker, queue, clock, providers; and what to do."""

import asyncio
import ctypes
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import asyncpg

from nestling.embedded.homes import orphans
from nestling.migrations import AnotherVersion, pending
from nestling.opening import CLOCK_REMEDY, MOVED_CLOCK, without_password
from nestling.settings import Settings, refusals
from nestling.words import counted, this_command
from workers.listening import RETRY_SECONDS, WORKER_IS_SEEN

DISK_FLOOR_BYTES = 2 << 30
QUEUE_AGE_AT_MOST = timedelta(minutes=5)
LOOK_SECONDS = 3.0


class Health(StrEnum):
    WELL = "WELL"
    WORTH_KNOWING = "WORTH_KNOWING"
    ILL = "ILL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` is what to do, empty when nothing is."""

    subject: str
    health: Health
    told: str
    remedy: str = ""


def look_at_machine(settings: Settings) -> list[Finding]:
    """Python, LightGBM's library, disk and settings: needs no server."""
    found = [Finding("python", Health.WELL, f"{sys.version.split()[0]} at {sys.prefix}")]
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libgomp.so.1")
        except OSError:
            found.append(
                Finding(
                    "libgomp", Health.ILL, "libgomp.so.1 is missing: LightGBM cannot train.", "apt-get install libgomp1"
                )
            )
    folder = settings.DATA_DIR.resolve()
    there = next(one for one in (folder, *folder.parents) if one.exists())  # who looks makes nothing
    free = shutil.disk_usage(there).free
    health = Health.WELL if free > DISK_FLOOR_BYTES else Health.ILL
    found.append(
        Finding("disk", health, f"{free / (1 << 30):.1f} GB free", "" if health is Health.WELL else "Free some.")
    )
    if left := orphans():
        told = f"{counted(len(left), 'server folder')} in {left[0].parent} of projects that are gone from this disk"
        mend = f"Unless a disk is only unmounted: rm -r {' '.join(map(str, left))}"
        found.append(Finding("left over", Health.WORTH_KNOWING, told, mend))
    refused = refusals(settings)
    found += [Finding("settings", Health.ILL, said) for said in refused]
    if not refused:
        found.append(Finding("settings", Health.WELL, f"{settings.ENVIRONMENT.value}, {settings.public_url}"))
    return found


async def look_at_database(settings: Settings) -> list[Finding]:
    """The server, its migrations, the worker, the queue and the clock. Reads only."""
    where = without_password(settings.DATABASE_URL)
    try:
        reader = await asyncpg.connect(settings.DATABASE_URL, timeout=LOOK_SECONDS)
    except (OSError, asyncpg.PostgresError) as error:
        return [Finding("postgresql", Health.ILL, f"{where}: {error}", "Start it, or correct DATABASE_URL.")]
    try:
        number = int(await reader.fetchval("SHOW server_version_num"))
        if number < 150000:
            return [Finding("postgresql", Health.ILL, f"version {number // 10000}", "Nestling needs 15 or newer.")]
        found = [Finding("postgresql", Health.WELL, f"version {number // 10000} at {where}")]
        try:
            missing = await pending(settings.DATABASE_URL)
        except AnotherVersion as other:
            return [*found, Finding("migrations", Health.ILL, "another version's", str(other))]
        if missing:
            return [*found, Finding("migrations", Health.ILL, f"{len(missing)} pending", "nestling migrate")]
        found.append(Finding("migrations", Health.WELL, "in step"))
        for look in (_look_at_worker, _look_at_queue, _look_at_clock, _look_at_demo_accounts):
            found += await look(reader, settings)
        return found
    finally:
        await reader.close()


async def _look_at_worker(reader: asyncpg.Connection, settings: Settings) -> list[Finding]:
    """Whether a worker is seen; one that has lost its connection is waited for."""
    until = time.monotonic() + RETRY_SECONDS
    while not await reader.fetchval(f"SELECT {WORKER_IS_SEEN}"):
        if time.monotonic() > until:
            last = await reader.fetchval("SELECT max(finished_at) FROM cron_ticks")
            worked = f"; the last daily job ended {last:%Y-%m-%d %H:%M} UTC" if last else ""
            told = f"none runs on this database, so nothing is sent, scored or planned{worked}"
            is_demo = settings.ENVIRONMENT == "demo"
            start = f"make demo, or {this_command()} demo" if is_demo else f"{this_command()} worker"
            return [Finding("worker", Health.ILL, told, f"Start one: {start}")]
        await asyncio.sleep(0.3)
    return [Finding("worker", Health.WELL, "one runs")]


async def _look_at_queue(reader: asyncpg.Connection, _: Settings) -> list[Finding]:
    waiting, oldest = await reader.fetchrow("SELECT count(*), min(created_at) FROM outbox")
    open_, unknown = await reader.fetchrow(
        "SELECT count(*) FILTER (WHERE state IN ('QUEUED', 'SENDING')), count(*) FILTER (WHERE state = 'UNKNOWN') "
        "FROM messages"
    )
    told = f"{waiting} waiting, {counted(open_, 'message')} on the way, {unknown} with an unknown outcome"
    if oldest is not None and datetime.now(UTC) - oldest > QUEUE_AGE_AT_MOST:
        told += f"; the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
        return [Finding("queue", Health.ILL, told, "See the worker: while one runs, its log says why they wait.")]
    return [Finding("queue", Health.WELL, told)]


async def _look_at_clock(reader: asyncpg.Connection, settings: Settings) -> list[Finding]:
    there, moved_to = await reader.fetchval("SELECT now()"), await reader.fetchval(MOVED_CLOCK)
    found = []
    apart = abs(there - datetime.now(UTC))
    if apart > timedelta(seconds=5):
        told = f"this machine and PostgreSQL are {apart.total_seconds():.0f} s apart"
        found.append(Finding("clock", Health.ILL, told, "Set both by NTP: leases and retries compare their clocks."))
    if moved_to is not None:
        told = f"the business clock reads {moved_to:%Y-%m-%d %H:%M} UTC"
        if settings.is_production:
            found.append(Finding("clock", Health.ILL, told, CLOCK_REMEDY))
        else:
            told += " (a demo's: nestling demo advance moves it)"
            found.append(Finding("clock", Health.WORTH_KNOWING, told))
    return found or [Finding("clock", Health.WELL, "the business clock is the real one")]


async def _look_at_demo_accounts(reader: asyncpg.Connection, settings: Settings) -> list[Finding]:
    accounts = await reader.fetchval("SELECT count(*) FROM accounts WHERE is_demo AND is_active")
    if not accounts:
        return []
    ill = settings.is_production
    remedy = f"{this_command()} user disable-demo" if ill else ""
    health = Health.ILL if ill else Health.WORTH_KNOWING
    return [
        Finding(
            "accounts", health, f"{counted(accounts, 'demo account')} {'is' if accounts == 1 else 'are'} active", remedy
        )
    ]


def look_at_redis(settings: Settings) -> list[Finding]:
    url = settings.REDIS_URL
    if not url:
        return [
            Finding("redis", Health.WORTH_KNOWING, "none: workers look for work every second instead of being woken")
        ]
    return [
        _look_at_port("redis", urlsplit(url).hostname, urlsplit(url).port or 6379, "Start it, or correct REDIS_URL.")
    ]


def look_at_providers(settings: Settings) -> list[Finding]:
    """Whether the providers can be reached; nothing is sent."""
    found = []
    demo = f"The demo's own serves while the demo does: {this_command()} demo"
    is_demo = settings.ENVIRONMENT == "demo"
    if settings.SMS_URL:
        parts = urlsplit(settings.SMS_URL)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found.append(_look_at_port("sms", parts.hostname, port, demo if is_demo else "Correct SMS_URL."))
    else:
        found.append(Finding("sms", Health.WORTH_KNOWING, "no SMS channel", "Set SMS_URL to have one."))
    if settings.SMTP_HOST:
        remedy = demo if is_demo else "Correct SMTP_HOST and SMTP_PORT."
        found.append(_look_at_port("mail", settings.SMTP_HOST, settings.SMTP_PORT, remedy))
    else:
        found.append(Finding("mail", Health.WORTH_KNOWING, "no e-mail channel", "Set SMTP_HOST to have one."))
    return found


def _look_at_port(subject: str, host: str | None, port: int, remedy: str) -> Finding:
    try:
        socket.create_connection((host or "127.0.0.1", port), timeout=LOOK_SECONDS).close()
    except OSError as error:
        return Finding(subject, Health.ILL, f"{host}:{port} does not answer ({error.strerror or error})", remedy)
    return Finding(subject, Health.WELL, f"{host}:{port} answers")
