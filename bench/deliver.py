"""deliver: SMS through decision, claim, lease, post, record and receipt, against a bare loop of the same client.

Ours: messages are planned in one transaction, and from its commit on the time runs until the worker has the provider's
answer to every one of them in the database. The worker is a process of its own; the provider simulator calls its
receipts back to a real web process meanwhile. The floor posts the same bodies with the same client and the same number
of requests in flight to a simulator of its own, and keeps nothing.
"""

import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from tortoise import Tortoise
from tortoise.transactions import in_transaction

from bench.databases import connected
from bench.harness import Bench, Result, Round, compare
from bench.people import valid_phones
from bench.processes import cpu_seconds, free_port, process, served
from bench.spec import CLOCK, Spec
from bench.world import world
from channels.sms_http import SmsHttp, SmsHttpConfig
from domain.database import tortoise_config
from domain.gateway import messages, suppressions
from domain.gateway.delivery import Accepted, Outgoing
from domain.outreach import templates
from domain.outreach.intents import Intent
from domain.platform.sources import Channel, Purpose
from nestling.settings import settings
from nestling.simulator.log import read, sha256

BATCH = 2_000
"""Messages in a turn."""
IN_FLIGHT = 16
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1  # looking costs the database something too
WORDS = "Synthetic: this message was measured, not meant."


@dataclass(frozen=True, slots=True)
class Simulator:
    url: str
    pid: int
    log: Path
    token: str
    webhook_secret: str


async def deliver(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """The bench on one world. Raises when a message is lost, doubled or changed on its way."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(world(server_url, spec, "nestling_bench_deliver"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nestling-bench-")))
        await Tortoise.init(config=tortoise_config(database), _enable_global_fallback=True)
        stack.push_async_callback(Tortoise.close_connections)
        suppressions.use_key(settings().ADDRESS_HASH_KEY.get_secret_value().encode())
        await templates.seed()
        connection = await stack.enter_async_context(connected(database))
        members = await _reachable(connection)
        house = await stack.enter_async_context(_house(database, folder))
        floor = await stack.enter_async_context(_floor(folder))
        supply = iter(range(0, len(members), BATCH))

        async def ours() -> Round:
            start = next(supply)
            return await house.turn(connection, members[start : start + BATCH])

        async def bare() -> Round:
            if not house.sent:
                await ours()
            return await floor.turn(house.sent)

        bench = Bench("deliver", "messages/s", goal=0.65, size=f"{BATCH:,} SMS a turn, {IN_FLIGHT} in flight")
        return [await compare(bench, ours, bare, rounds=rounds)]


async def _reachable(connection: asyncpg.Connection) -> list[UUID]:
    """Members with a valid number and consent to care by SMS, enough for every turn."""
    rows = await connection.fetch(
        "SELECT m.id FROM members m JOIN consents c ON c.member_id = m.id AND c.purpose = 'CARE' AND c.channel = 'SMS' "
        "WHERE c.state = 'GRANTED' AND m.external_id < $1 ORDER BY m.external_id",
        f"m{valid_phones():08d}",
    )
    return [row["id"] for row in rows]


class House:
    """Ours: a worker and a web process on the database, and the provider that they see."""

    def __init__(self, simulator: Simulator, worker: int, web: int) -> None:
        self._simulator = simulator
        self._pids = (worker, web)
        self.sent: list[Outgoing] = []

    async def turn(self, connection: asyncpg.Connection, members: Sequence[UUID]) -> Round:
        """Plan a message to each, wait for every answer, then (unmeasured) for every receipt."""
        key = secrets.token_hex(8)
        wishes = [_wish(member, key) for member in members]
        before = sum(map(cpu_seconds, self._pids))
        async with in_transaction():
            planned = await messages.plan(wishes)
        started = time.perf_counter()
        assert planned.sent == len(members), f"only {planned.sent} of {len(members)} may be sent: {planned.reasons}"
        await _until(connection, planned.ids, ("ACCEPTED", "DELIVERED"))
        seconds = time.perf_counter() - started
        spent = sum(map(cpu_seconds, self._pids)) - before
        await _until(connection, planned.ids, ("DELIVERED",))
        rows = await connection.fetch(
            "SELECT id, provider_key, address, body FROM messages WHERE id = ANY($1)", planned.ids
        )
        self.sent = [Outgoing(row["provider_key"], row["id"], row["address"], row["body"]) for row in rows]
        _assert_once_each(self._simulator.log, self.sent)
        return Round(len(members), seconds, spent)


class Floor:
    """A bare loop over the channel's own client."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._client = SmsHttp(
            SmsHttpConfig(f"{simulator.url}/messages", simulator.token, "", connections=IN_FLIGHT, is_test=True)
        )

    async def turn(self, sent: Sequence[Outgoing]) -> Round:
        """Post the same bodies to the same people, under fresh keys."""
        fresh = [replace(message, key=uuid4()) for message in sent]
        waiting = iter(fresh)

        async def post() -> None:
            for message in waiting:
                outcome = await self._client.send(message)
                assert isinstance(outcome, Accepted), outcome

        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(post() for _ in range(IN_FLIGHT)))
        turn = Round(len(fresh), time.perf_counter() - started, time.process_time() - cpu)
        _assert_once_each(self._simulator.log, fresh)
        return turn

    async def close(self) -> None:
        await self._client.close()


def _wish(member: UUID, key: str) -> Intent:
    return Intent(
        member_id=member,
        channel=Channel.SMS,
        purpose=Purpose.CARE,
        template_key="note.care",
        intent_key=f"bench/{key}/{member}",
        not_before=CLOCK - timedelta(minutes=1),
        expires_at=CLOCK + timedelta(days=1),
        params={"text": WORDS},
    )


async def _until(connection: asyncpg.Connection, ids: Sequence[UUID], states: tuple[str, ...]) -> None:
    """Wait until every message is in one of the states."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        missing = await connection.fetchval(
            "SELECT count(*) FROM messages WHERE id = ANY($1) AND state <> ALL($2)", ids, list(states)
        )
        if not missing:
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise TimeoutError(f"{missing} messages are not in {states} after {PATIENCE_SECONDS:.0f} s")


def _assert_once_each(log: Path, sent: Sequence[Outgoing]) -> None:
    """The provider's own log has every message once, with our text."""
    wanted = {str(message.key): sha256(message.body) for message in sent}
    lines = [line for line in read(log) if line.key in wanted and line.effect == "accepted"]
    assert Counter(line.key for line in lines) == Counter(wanted.keys()), "lost or doubled at the provider"
    assert all(line.body_sha256 == wanted[line.key] for line in lines), "changed on the way"


def _keys(folder: Path) -> dict[str, str]:
    """Fresh keys of a simulator, in its folder."""
    folder.mkdir()
    keys = {"token": secrets.token_hex(16), "webhook_secret": secrets.token_hex(16)}
    (folder / "secrets").write_text(json.dumps(keys))
    return keys


@asynccontextmanager
async def _simulator(folder: Path, webhook_url: str = "") -> AsyncIterator[Simulator]:
    keys = _keys(folder)
    command = [
        sys.executable, "-m", "nestling.simulator", "--log", str(folder / "log"), "--script", "calm",
        "--secrets", str(folder / "secrets"), "--webhook-url", webhook_url,
    ]  # fmt: skip
    async with process(command, {}, stdout=asyncio.subprocess.PIPE) as started:
        assert started.stdout is not None
        ready = json.loads(await started.stdout.readline())
        yield Simulator(f"http://127.0.0.1:{ready['http_port']}", started.pid, folder / "log", **keys)


@asynccontextmanager
async def _floor(folder: Path) -> AsyncIterator[Floor]:
    async with _simulator(folder / "floor") as simulator:
        floor = Floor(simulator)
        yield floor
        await floor.close()


@asynccontextmanager
async def _house(database: str, folder: Path) -> AsyncIterator[House]:
    port = free_port()
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(
            _simulator(folder / "ours", f"http://127.0.0.1:{port}/hooks/sms_http")
        )
        environment = {
            "DATABASE_URL": database,
            "REDIS_URL": "none",
            "ENVIRONMENT": "development",
            "SMS_URL": f"{simulator.url}/messages",
            "SMS_TOKEN": simulator.token,
            "SMS_WEBHOOK_SECRET": simulator.webhook_secret,
            "SMS_TEST_PROVIDER": "true",
            "WORKER_CONCURRENCY": str(IN_FLIGHT),
        }
        web = await stack.enter_async_context(served(["nestling.asgi:app"], environment, port))
        worker = await stack.enter_async_context(process([sys.executable, "-m", "bench.worker"], environment))
        yield House(simulator, worker.pid, web.pid)
