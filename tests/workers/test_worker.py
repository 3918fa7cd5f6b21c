"""The worker process: with and without a Redis, stopping gracefully, and its daily jobs."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import asyncpg

from channels.callback import Callback
from domain.care.callbacks import CallbackOutcome, CallbackTask, Disposition
from domain.care.handovers import open_from_message
from domain.database import connection
from domain.gateway import hearing, sweeps
from domain.gateway.attempts import Attempt, record_attempts
from domain.gateway.claims import claim
from domain.gateway.messages import Message, MessageState
from domain.gateway.outbox import relay_messages
from domain.platform import cron
from domain.platform.changes import OUTBOX_BELL, announce
from domain.platform.clock import advance_business_clock, business_now, real_now
from domain.platform.cron import CronTick
from domain.platform.ids import new_id
from domain.platform.sources import Channel
from nestling.embedded.processes import free_port
from tests.domain.gateway.test_delivering import LEASE, LETTERHEAD
from tests.factories import NOON
from tests.workers.stage import (
    Process,
    Redis,
    make_people,
    plan_notes,
    simulator,
    states,
    until,
    web,
    worker,
    worker_environment,
)
from workers.bell import RINGS, Bell
from workers.config import WorkerConfig
from workers.daily import daily_jobs
from workers.database import step
from workers.doorbell import DELIVER, JOBS, RECEIPTS, Doorbell, NoWaker
from workers.jobs import Job, Jobs, newest_tick
from workers.listening import LISTENER, RETRY_SECONDS, listen


async def test_without_a_redis_a_message_leaves_within_two_seconds(db: str, tmp_path: Path) -> None:
    """From the commit of the wish to the provider's answer, by a worker that was started without a bell."""
    async with web(db) as url:
        hook = f"{url}/hooks/sms_http"
        with simulator(tmp_path, script="calm", webhook_url=hook) as provider:
            environment = worker_environment(db, provider, "none")
            with worker(tmp_path, environment) as one:
                people = await make_people(30, Channel.SMS, Channel.EMAIL, Channel.CALL)
                await until(lambda: _ticks(1), 30, states)  # it is up: it has looked at its jobs
                begun = time.monotonic()
                await plan_notes(people[:10], Channel.SMS)
                await plan_notes(people[10:20], Channel.EMAIL)
                await plan_notes(people[20:], Channel.CALL)
                await until(lambda: _handed(1), 10, states)
                assert time.monotonic() - begun < 2.0
                await until(lambda: _handed(30), 10, states)
                await until(lambda: _in(MessageState.DELIVERED, 10), 10, states)
                assert await one.ended() == 0
    assert await states() == {"DELIVERED": 10, "ACCEPTED": 20}
    assert await CallbackTask.all().count() == 10


async def test_every_attempt_is_a_line_of_the_log_and_no_person_is(db: str, tmp_path: Path) -> None:
    """The canary: whatever marks a person stands in the database and with the provider, and in nobody's log."""
    async with web(db) as url:
        with simulator(tmp_path, script="rough", seed_=3, webhook_url=f"{url}/hooks/sms_http") as provider:
            people = await make_people(24, Channel.SMS, Channel.EMAIL)
            await connection().execute_query("UPDATE members SET full_name = 'Canaria Vogel', name_key = 'canaria'")
            await plan_notes(people, Channel.SMS)
            await plan_notes(people, Channel.EMAIL)
            environment = worker_environment(db, provider, timeout=1) | {"LOG_JSON": "true", "LOG_LEVEL": "DEBUG"}
            with worker(tmp_path, environment) as one:
                await until(lambda: _handed(30), 30, states)
                assert await one.ended() == 0
    lines = [json.loads(line) for line in one.words.splitlines() if line.startswith("{")]
    told = {
        (line["message_id"], line["attempt"], line["state"], line["code"])
        for line in lines
        if line["event"] == "attempt recorded"
    }
    recorded = await connection().execute_query_dict(
        "SELECT message_id::text, attempt, to_state, cause FROM message_events e "
        "WHERE from_state = 'SENDING' AND attempt IS NOT NULL"
    )
    assert {state for _, _, state, _ in told} > {MessageState.ACCEPTED.value}, "a calm day proves little"
    assert told == {tuple(row.values()) for row in recorded}

    marks = await connection().execute_query_dict("SELECT value FROM identities WHERE kind IN ('PHONE', 'EMAIL')")
    canaries = {"Canaria", "canaria", "A word for", *(mark["value"].lstrip("+") for mark in marks)}
    assert len(canaries) == 3 + 2 * len(people)
    for log in ("worker.log", "simulator.log", "simulator.jsonl"):
        said = (tmp_path / log).read_text(errors="replace")
        assert said, log
        assert {canary for canary in canaries if canary in said} == set(), log


async def test_stopping_gives_everything_back_and_loses_nothing(db: str, tmp_path: Path) -> None:
    async with web(db) as url:
        with simulator(tmp_path, script="calm", webhook_url=f"{url}/hooks/sms_http") as provider:
            await plan_notes(await make_people(800, Channel.SMS), Channel.SMS)
            with worker(tmp_path, worker_environment(db, provider)) as one:
                await until(lambda: _handed(40), 30, states)
                assert await one.ended() == 0
                now = await states()
                assert "SENDING" not in now
                assert "UNKNOWN" not in now
                assert now.get("QUEUED", 0) > 0, "it stopped after everything was sent: this proves nothing"
                one.start()
                await until(lambda: _handed(800), 60, states)
                await one.ended()


async def test_a_step_that_is_cancelled_stays_cancelled_when_its_undoing_fails() -> None:
    """As a rollback does on a connection that is gone: else the loop around it would run for ever."""

    async def cut_off() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise asyncpg.InterfaceError("connection is closed")

    async def loop() -> None:
        while True:
            await step("cut off", cut_off, None)

    looping = asyncio.create_task(loop())
    await asyncio.sleep(0)
    looping.cancel()
    await asyncio.wait([looping], timeout=5)
    assert looping.cancelled()


async def test_every_arq_job_wakes_the_loop_that_reads_its_rows(tmp_path: Path) -> None:
    wakes = {
        "deliver": DELIVER, "apply_receipts": RECEIPTS, "score": JOBS, "find_duplicates": JOBS, "build_lists": JOBS,
        "care_run": JOBS,
    }  # fmt: skip
    assert wakes == RINGS
    redis, doorbell = Redis(tmp_path, free_port()), Doorbell()
    redis.start()
    bell = Bell(redis.url, doorbell)
    listening = asyncio.create_task(bell.listen())
    try:
        await until(bell._answers, 10)
        for job, topic in wakes.items():
            waiting = {t: asyncio.create_task(doorbell.wait(t, 20)) for t in set(wakes.values())}
            await asyncio.sleep(0)
            await bell.wake(job, [])
            done, others = await asyncio.wait(waiting.values(), timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert done == {waiting[topic]}, job
            for other in others:
                other.cancel()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await bell.close()
        redis.stop()


def test_each_daily_job_has_a_bell_and_the_lists_come_between_scores_and_care() -> None:
    names = [job.name for job in sorted(daily_jobs(WorkerConfig("", "", "", "", "")), key=lambda job: job.at)]
    assert names == ["score", "find_duplicates", "build_lists", "care_run"]
    assert set(names) == {job for job, topic in RINGS.items() if topic == JOBS}


async def test_a_cut_connection_is_noticed_at_once_and_made_again(db: str) -> None:
    pids = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
    doorbell = _Heard()
    listener = asyncio.create_task(listen(db, doorbell))

    async def listeners() -> set[int]:
        return {row["pid"] for row in await connection().execute_query_dict(pids, [LISTENER])}

    async def rings() -> bool:
        doorbell.topics.clear()
        await announce(OUTBOX_BELL, DELIVER)
        await asyncio.sleep(0.05)
        return DELIVER in doorbell.topics

    try:
        await until(listeners, 10, states)
        await until(rings, 10, states)
        before = await listeners()
        doorbell.topics.clear()
        cut = time.monotonic()
        await connection().execute_query(f"SELECT pg_terminate_backend(pid) FROM ({pids}) x", [LISTENER])
        await until(lambda: _others(listeners, before), 10, states)
        assert time.monotonic() - cut < RETRY_SECONDS + 3, "not after twenty seconds"
        assert {DELIVER, JOBS} <= set(doorbell.topics), "what was said meanwhile is looked for"
        await until(rings, 10, states)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


class _Heard(Doorbell):
    """A doorbell that remembers who rang."""

    def __init__(self) -> None:
        super().__init__()
        self.topics: list[str] = []

    def ring(self, topic: str) -> None:
        self.topics.append(topic)
        super().ring(topic)


async def _others(found: Callable[[], Awaitable[set[int]]], before: set[int]) -> bool:
    return bool(await found() - before)


async def test_the_bell_comes_and_goes(db: str, tmp_path: Path) -> None:
    """A worker finds a Redis that appears later, loses it, and delivers all the time."""
    bell = Redis(tmp_path, free_port())
    with (
        simulator(tmp_path, script="calm") as provider,
        worker(tmp_path, worker_environment(db, provider, bell.url)) as one,
    ):
        people = await make_people(30, Channel.SMS)
        await plan_notes(people[:10], Channel.SMS)
        await until(lambda: _handed(10), 30, states)
        bell.start()
        try:
            await until(lambda: _said(one, "the bell is there"), 10)
            await plan_notes(people[10:20], Channel.SMS)
            await until(lambda: _handed(20), 5, states)
        finally:
            bell.stop()
        await plan_notes(people[20:], Channel.SMS)
        await until(lambda: _handed(30), 5, states)
        assert await one.ended() == 0


async def _said(one: Process, what: str) -> bool:
    return what in one.words


async def _ticks(count: int) -> bool:
    return await CronTick.all().count() >= count


async def _handed(count: int) -> bool:
    return await Message.filter(state__in=[MessageState.ACCEPTED, MessageState.DELIVERED]).count() >= count


async def _in(state: MessageState, count: int) -> bool:
    return await Message.filter(state=state).count() >= count


async def test_what_a_consultant_logs_is_the_receipt_of_her_call(db: str) -> None:
    await plan_notes(await make_people(3, Channel.CALL), Channel.CALL)
    await relay_messages()
    provider = Callback(open_from_message)
    claimed, _ = await claim("w", provider, 10, LEASE, LETTERHEAD)
    for one in claimed:
        first, again = await provider.send(one.outgoing), await provider.send(one.outgoing)
        assert first == again
        await record_attempts("w", [Attempt(one.outgoing.message_id, 1, False, first)], provider.traits)
    tasks = await CallbackTask.all().order_by("id")
    assert len(tasks) == 3
    minute = timedelta(minutes=1)
    logged = [(Disposition.REACHED, minute), (Disposition.WRONG_NUMBER, minute), (Disposition.REACHED, timedelta(0))]
    for task, (disposition, ago) in zip(tasks, logged, strict=True):
        await CallbackOutcome.create(
            task_id=task.id,
            attempt=1,
            disposition=disposition,
            next_step="DONE",
            account_id=new_id(),
            logged_at=real_now() - ago,
        )
    assert await sweeps.receive_call_outcomes() == 2
    assert await sweeps.receive_call_outcomes() == 0
    assert await hearing.apply_parked() == 2
    by_task = {t.message_id: n for n, t in enumerate(tasks)}
    found = {by_task[m.id]: m.state for m in await Message.all()}
    assert found == {0: MessageState.DELIVERED, 1: MessageState.UNDELIVERED, 2: MessageState.ACCEPTED}


def test_the_newest_tick_is_todays_or_yesterdays() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    job = Job("x", datetime(2026, 1, 1, 6).time(), _nothing)  # noqa: DTZ001 - a time of day
    assert newest_tick(datetime(2026, 3, 2, 5, 59, tzinfo=zone), job.at) == datetime(2026, 3, 1, 6, tzinfo=zone)
    assert newest_tick(datetime(2026, 3, 2, 6, 0, tzinfo=zone), job.at) == datetime(2026, 3, 2, 6, tzinfo=zone)


async def _nothing(_tick: datetime) -> str:
    return ""


async def test_a_daily_job_runs_once_a_business_day_on_whatever_number_of_workers(db: str) -> None:
    await make_people(1)
    ran: list[datetime] = []

    async def care(tick: datetime) -> str:
        ran.append(tick)
        await asyncio.sleep(0.05)
        return "done"

    def jobs(owner: str) -> Jobs:
        return Jobs(owner, [Job("care", datetime(2026, 1, 1, 6).time(), care)], "UTC", Doorbell(), NoWaker(), 0.05)  # noqa: DTZ001

    running = [asyncio.create_task(jobs(f"w{n}").run()) for n in range(3)]
    try:
        await until(lambda: _ticks(1), 5)
        await asyncio.sleep(0.3)
        assert ran == []  # nothing is made up for before the first tick
        await advance_business_clock(timedelta(days=7))
        await until(lambda: _done(1), 5)
        await asyncio.sleep(0.3)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert ran == [datetime(2017, 12, 22, 6, tzinfo=UTC)]  # of seven missed days the newest
    assert (await business_now()).date() == NOON.date() + timedelta(days=7)


async def _done(count: int) -> bool:
    return await CronTick.filter(state=cron.DONE).count() >= count


async def test_a_tick_whose_runner_died_is_taken_by_another(db: str) -> None:
    tick_id = await cron.want("score", NOON)
    assert await cron.want("score", NOON) is None
    first = await cron.take("one", ["score"])
    assert first is not None
    assert first.id == tick_id
    assert await cron.want("care_run", NOON + timedelta(hours=4)) is not None
    assert await cron.take("two", ["score", "care_run"]) is None  # one after the other: care reads the scores
    await connection().execute_query("UPDATE cron_ticks SET lease_until = clock_timestamp() - interval '1 second'")
    assert await cron.take("two", ["score", "care_run"]) == first
    assert not await cron.keep("one", first)
    await cron.finish("one", first, cron.DONE)
    assert (await CronTick.get(id=tick_id)).state == cron.RUNNING
    await cron.finish("two", first, cron.DONE, "fine")
    assert (await CronTick.get(id=tick_id)).state == cron.DONE
    care = await cron.take("one", ["score", "care_run"])
    assert care is not None
    assert care.job == "care_run"


async def test_a_doorbell_wakes_at_once_and_is_never_needed() -> None:
    doorbell = Doorbell()
    waiting = asyncio.create_task(doorbell.wait(DELIVER, 5))
    await asyncio.sleep(0)
    doorbell.ring(JOBS)
    await asyncio.sleep(0)
    assert not waiting.done()
    doorbell.ring(DELIVER)
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(doorbell.wait(DELIVER, 0.01), 1)
