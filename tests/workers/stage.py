"""The stage of the delivery tests: processes (provider simulator, worker, Redis) and a web server for callbacks."""

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from api.config import ApiConfig
from api.hooks import hook_routes
from api.unsubscribe import unsubscribe_routes
from channels.registry import ChannelsConfig
from channels.sms_http import SmsHttpConfig
from domain.database import connection
from domain.gateway.messages import Planned, plan
from domain.outreach.intents import CallBrief, Intent
from domain.outreach.templates import seed
from domain.people.consents import Consent, ConsentState
from domain.people.households import Household
from domain.people.identities import Identity, IdentityKind
from domain.people.members import Member
from domain.platform.clock import business_now, set_business_clock
from domain.platform.sources import Channel, Purpose, Source
from nestling.embedded.redis import find_redis
from tests.factories import NOON

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = itertools.count()  # phones of the fictitious range, through all area codes
TOKEN = "a token of the test provider"
WEBHOOK_SECRET = "a secret for tests only"
SECRET_KEY = "a secret key for tests only, long enough"
ADDRESS_KEY = "a key for tests only, thirty-two characters"  # as in conftest


class Process:
    """A child that the test may kill as it likes."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, name: str) -> None:
        self._command = command
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        self._folder = folder
        self._log = folder / f"{name}.log"
        self.child: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.child = subprocess.Popen(
                self._command, env=self._environment, cwd=self._folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    async def ended(self) -> int:
        """Asked to stop; what serves in this process goes on meanwhile, for the child may wait for it."""
        return await asyncio.to_thread(self.end)

    def end(self, how: signal.Signals = signal.SIGTERM, patience: float = 20.0) -> int:
        assert self.child is not None
        self.child.send_signal(how)
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"still running {patience} s after {how.name}: {self.words}") from late

    @property
    def words(self) -> str:
        return self._log.read_text(errors="replace")


@contextmanager
def process(command: list[str], environment: dict[str, str], folder: Path, name: str) -> Iterator[Process]:
    one = Process(command, environment, folder, name)
    try:
        yield one
    finally:
        if one.child is not None and one.child.poll() is None:
            one.end(signal.SIGKILL)


class Simulator:
    def __init__(self, ready: dict[str, Any]) -> None:
        self.sms_url = f"http://127.0.0.1:{ready['http_port']}/messages"
        self.smtp_port: int = ready["smtp_port"]
        self.log = Path(ready["log"])


@contextmanager
def simulator(
    folder: Path, *, script: str, seed_: int = 1, webhook_url: str = "", memory: str = "keyed"
) -> Iterator[Simulator]:
    """The provider, in a process of its own."""
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"token": TOKEN, "webhook_secret": WEBHOOK_SECRET}))
    ready = folder / "ready.json"
    command = [
        sys.executable, "-m", "nestling.simulator", "--log", str(folder / "simulator.jsonl"), "--secrets", str(keys),
        "--script", script, "--seed", str(seed_), "--memory", memory, "--webhook-url", webhook_url,
        "--ready-file", str(ready),
    ]  # fmt: skip
    with process(command, {}, folder, "simulator") as one:
        until = time.monotonic() + 20
        while not ready.exists():
            assert one.child is not None
            assert one.child.poll() is None, one.words
            assert time.monotonic() < until, one.words
            time.sleep(0.05)
        yield Simulator(json.loads(ready.read_text()))


def api_config(database_url: str) -> ApiConfig:
    sms = SmsHttpConfig("http://127.0.0.1:1/messages", TOKEN, WEBHOOK_SECRET, is_test=True)
    return ApiConfig(
        database_url=database_url,
        secret_key=SECRET_KEY,
        public_url="https://crm.example",
        channels=ChannelsConfig(sms=sms),
    )


@asynccontextmanager
async def web(database_url: str) -> AsyncIterator[str]:
    """The callback routes, served by a real server in this process; yields its address."""
    config = api_config(database_url)
    app = Starlette(routes=[*hook_routes(config), *unsubscribe_routes(config)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


def worker_environment(
    database_url: str, provider: Simulator, redis_url: str = "none", memory: str = "keyed", timeout: float = 5
) -> dict[str, str]:
    return {
        "ENVIRONMENT": "development",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET_KEY,
        "ADDRESS_HASH_KEY": ADDRESS_KEY,
        "PUBLIC_URL": "https://crm.example",
        "TIME_ZONE": "UTC",
        "SMS_URL": provider.sms_url,
        "SMS_TOKEN": TOKEN,
        "SMS_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "SMS_TIMEOUT": str(timeout),
        "SMS_HONOURS_KEYS": str(memory == "keyed"),
        "SMS_LOOK_UP": str(memory != "blind"),
        "SMS_TEST_PROVIDER": "true",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(provider.smtp_port),
        "SMTP_STARTTLS": "false",
        "SMTP_TIMEOUT": str(2 * timeout),
        "SMTP_TEST_PROVIDER": "true",
        "DATABASE_POOL_SIZE": "6",
    }


@contextmanager
def worker(folder: Path, environment: dict[str, str]) -> Iterator[Process]:
    with process([sys.executable, "-m", "nestling", "worker"], environment, folder, "worker") as one:
        yield one


class Redis:
    """A Redis that can be stopped and started on the same port."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self.program = find_redis() or pytest.skip("No Redis: install the package redis-server.")
        self.running: Process | None = None

    def start(self) -> None:
        command = [
            str(self.program),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--daemonize",
            "no",
        ]
        self.running = Process(command, {}, self._folder, "redis")

    def stop(self) -> None:
        if self.running is not None:
            self.running.end(signal.SIGKILL)
            self.running = None


async def until(
    condition: Callable[[], Awaitable[Any]], seconds: float, explain: Callable[[], Awaitable[Any]] | None = None
) -> None:
    """Wait for a condition in the database; fails with what `explain` says then."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, f"waited {seconds} s: {await explain() if explain else ''}"
        await asyncio.sleep(0.1)


async def states() -> dict[str, int]:
    rows = await connection().execute_query_dict("SELECT state, count(*)::int AS n FROM messages GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


async def make_people(count: int, *channels: Channel) -> list[Member]:
    """Members at noon of a working day who agreed to care on these channels, with addresses that belong to nobody."""
    await set_business_clock(NOON)
    await seed()
    mark = secrets.token_hex(4)
    homes = [Household(source="test", external_id=f"{mark}-{n}") for n in range(count)]
    await Household.bulk_create(homes)
    people = [
        Member(household_id=home.id, source="test", external_id=home.external_id, joined_on=NOON.date())
        for home in homes
    ]
    await Member.bulk_create(people)
    seen = {"first_seen_at": NOON, "last_seen_at": NOON, "is_synthetic": True}
    phones = [f"+1{201 + n // 100 % 799}55501{n % 100:02d}" for n in (next(NUMBERS) for _ in range(count))]
    await Identity.bulk_create(
        [
            Identity(member_id=p.id, kind=IdentityKind.PHONE, value=phone, **seen)
            for p, phone in zip(people, phones, strict=True)
        ]
    )
    await Identity.bulk_create(
        [
            Identity(member_id=p.id, kind=IdentityKind.EMAIL, value=f"{mark}{n}@example.com", **seen)
            for n, p in enumerate(people)
        ]
    )
    await Consent.bulk_create(
        [
            Consent(
                member_id=p.id, purpose=Purpose.CARE, channel=channel, state=ConsentState.GRANTED, given_at=NOON,
                source=Source.MEMBER, how="test", text_version="1", text_hash="0" * 64,
            )
            for p in people
            for channel in channels
        ]
    )  # fmt: skip
    return people


async def plan_notes(people: list[Member], channel: Channel, *, good_for: timedelta = timedelta(hours=6)) -> Planned:
    """One note of care for each."""
    now = await business_now()
    call = CallBrief(kind="CARE_VISIT", reason_code="TEST", reason={"en": "A test."}, talking_points=[], priority=1.0)  # type: ignore[arg-type]
    return await plan(
        [
            Intent(
                member_id=p.id,
                channel=channel,
                purpose=Purpose.CARE,
                template_key="call.CARE_VISIT" if channel is Channel.CALL else "note.care",
                intent_key=f"test:{channel}:{p.id}",
                not_before=now,
                expires_at=now + good_for,
                params={"store": ""} if channel is Channel.CALL else {"text": f"A word for {p.id}."},
                call=call if channel is Channel.CALL else None,
            )
            for p in people
        ]
    )


async def load_log(lines: list[str]) -> None:
    """The simulator's own log as a table, so that SQL can judge."""
    await connection().execute_script("DROP TABLE IF EXISTS provider_log; CREATE TABLE provider_log (line jsonb)")
    await connection().execute_query("INSERT INTO provider_log SELECT unnest($1::jsonb[])", [lines])


async def forget_log() -> None:
    with contextlib.suppress(Exception):
        await connection().execute_script("DROP TABLE IF EXISTS provider_log")
