"""Kill the worker, empty and stop Redis, against a provider on its worst day: every message is accounted for.

The judge is the provider's own log, joined with the database in SQL; our own view of what happened is not asked.
"""

import asyncio
import random
import re
from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import redis.asyncio

from domain.database import connection
from domain.gateway.messages import MessageState
from domain.gateway.receipts import ReceiptKind
from domain.gateway.transitions import AFTER_RECEIPT, MOVES
from domain.platform.sources import Channel
from nestling.embedded.processes import free_port
from tests.workers.stage import (
    Redis,
    forget_log,
    load_log,
    make_people,
    plan_notes,
    simulator,
    states,
    until,
    web,
    worker,
    worker_environment,
)

OPEN = {"PLANNED", "QUEUED", "SENDING", "HELD"}

VERDICT = """
WITH log AS (
    SELECT (line ->> 'key')::uuid AS key, line ->> 'effect' AS effect, line ->> 'to_hash' AS to_hash,
        line ->> 'channel' AS channel, line ->> 'body_sha256' AS body_sha256, line ->> 'provider_ref' AS ref
    FROM provider_log
), effects AS (
    SELECT key, channel, count(*) FILTER (WHERE effect = 'accepted') AS accepted,
        count(*) FILTER (WHERE effect = 'refused') AS refused, count(*) AS requests,
        min(to_hash) AS to_hash, min(body_sha256) AS body, count(DISTINCT body_sha256) AS bodies,
        max(ref) FILTER (WHERE effect = 'accepted') AS ref
    FROM log GROUP BY key, channel
)
SELECT m.id, m.state, m.channel, e.requests, coalesce(e.accepted, 0) AS accepted, coalesce(e.refused, 0) AS refused,
    CASE
        WHEN m.id IS NULL THEN 'sent by nobody'
        WHEN e.accepted > 1 THEN 'sent twice'
        WHEN e.bodies > 1 THEN 'two texts under one key'
        WHEN m.state IN ('ACCEPTED', 'DELIVERED', 'UNDELIVERED') AND coalesce(e.accepted, 0) = 0 THEN 'never sent'
        WHEN m.state = 'FAILED' AND (coalesce(e.accepted, 0) > 0 OR e.refused = 0) THEN 'failed without a refusal'
        WHEN m.state IN ('EXPIRED', 'DEAD', 'SUPPRESSED', 'CANCELLED') AND e.accepted > 0 THEN 'sent and denied'
        WHEN m.state IN ('PLANNED', 'QUEUED', 'SENDING', 'HELD') THEN 'not final'
        WHEN m.state IN ('UNKNOWN', 'UNKNOWN_FINAL') AND m.channel = 'SMS' THEN 'not explained'
        WHEN e.accepted = 1 AND m.channel = 'SMS' AND e.body <> encode(sha256(convert_to(m.body, 'UTF8')), 'hex')
            THEN 'another text'
        WHEN e.accepted = 1 AND e.to_hash <> encode(sha256(convert_to(m.address, 'UTF8')), 'hex') THEN 'another address'
        WHEN e.accepted = 1 AND m.channel = 'SMS' AND m.provider_ref <> e.ref THEN 'another reference'
    END AS wrong
FROM effects e FULL JOIN messages m ON m.provider_key = e.key
WHERE m.channel IS DISTINCT FROM 'CALL'
"""


async def _verdict(log: Path) -> list[dict[str, Any]]:
    await load_log(await asyncio.to_thread(lambda: log.read_text().splitlines()))
    return list(await connection().execute_query_dict(VERDICT))


async def _illegal_moves() -> list[dict[str, Any]]:
    rows = await connection().execute_query_dict(
        "SELECT DISTINCT from_state, to_state, cause FROM message_events WHERE from_state <> ''"
    )
    told = {(before.value, after.value) for (before, _), after in AFTER_RECEIPT.items()}
    legal = {(before.value, after.value) for before, after in MOVES}
    return [
        row
        for row in rows
        if (row["from_state"], row["to_state"]) not in (told if row["cause"].startswith("RECEIPT_") else legal)
    ]


async def _unsettled() -> list[dict[str, Any]]:
    """What is left to do: open messages, and unknown ones but for those that only a receipt can settle."""
    return list(
        await connection().execute_query_dict(
            "SELECT channel, state, state_reason, attempt, next_attempt_at - clock_timestamp() AS wait FROM messages "
            "WHERE state IN ('PLANNED', 'QUEUED', 'SENDING', 'HELD') "
            "OR (state = 'UNKNOWN' AND next_attempt_at IS NOT NULL)"
        )
    )


async def _settled() -> bool:
    return not await _unsettled()


async def _handed() -> int:
    rows = await connection().execute_query_dict("SELECT count(*)::int AS n FROM messages WHERE attempt > 0")
    return int(rows[0]["n"])


async def _storm(
    db: str,
    folder: Path,
    *,
    seed: int,
    sms: int,
    email: int,
    calls: int,
    kills: int,
    patience: float,
    memory: str = "keyed",
) -> None:
    """Plan, kill at random progress, FLUSHALL, stop Redis, wait, judge."""
    drawn = random.Random(seed)
    total = sms + email + calls
    bell = Redis(folder, free_port())
    async with web(db) as url:
        # A receipt would settle what is unknown before anything else had to: without keys none comes.
        hook = f"{url}/hooks/sms_http" if memory == "keyed" else ""
        with simulator(folder, script="rough", seed_=seed, webhook_url=hook, memory=memory) as provider:
            bell.start()
            try:
                environment = worker_environment(db, provider, bell.url, memory, timeout=0.5)
                with worker(folder, environment) as one:
                    await plan_notes(await make_people(sms, Channel.SMS), Channel.SMS)
                    await plan_notes(await make_people(email, Channel.EMAIL), Channel.EMAIL)
                    await plan_notes(await make_people(calls, Channel.CALL), Channel.CALL)
                    for n in range(kills):
                        goal = total * (n + 1) // (kills + 2)
                        await until(partial(_at_least, goal), 30, states)
                        await asyncio.sleep(drawn.uniform(0, 0.3))
                        one.end(SIGKILL)
                        await _hurt(bell, is_last=n >= kills // 2)
                        one.start()
                    await until(_settled, patience, _unsettled)
                    assert await one.ended() == 0, one.words[-2000:]
                    assert not re.search(r"\[(error|critical)\b|Traceback", one.words), one.words[-3000:]
            finally:
                bell.stop()
            await _judge(provider.log, sms, is_blind=memory == "blind")


async def _hurt(bell: Redis, *, is_last: bool) -> None:
    """Empty Redis, or take it away for good."""
    if is_last:
        bell.stop()
        return
    client = redis.asyncio.Redis(port=bell.port)
    await client.flushall()
    await client.aclose()


async def _judge(log: Path, sms: int, *, is_blind: bool) -> None:
    found = await _verdict(log)
    wrong = [row for row in found if row["wrong"] and not (is_blind and row["wrong"] == "not explained")]
    assert wrong == []
    assert sum(row["accepted"] for row in found) > sms // 2
    lost = await connection().execute_query_dict(
        "SELECT count(*)::int AS n FROM provider_log WHERE line ->> 'answer' IN ('timeout', 'reset', '500')"
    )
    assert lost[0]["n"] > sms // 10, "the storm lost hardly any answer: it proves nothing"
    await forget_log()
    assert await _illegal_moves() == []


async def _at_least(goal: int) -> bool:
    return await _handed() >= goal


async def test_three_kills_lose_nothing_and_send_nothing_twice(db: str, tmp_path: Path) -> None:
    await _storm(db, tmp_path, seed=7, sms=150, email=20, calls=20, kills=3, patience=60)
    tasks = await connection().execute_query_dict(
        "SELECT count(*)::int AS n, count(DISTINCT message_id)::int AS m FROM callback_tasks"
    )
    assert tasks == [{"n": 20, "m": 20}]
    now = await states()
    assert set(now) <= {s.value for s in MessageState} - OPEN
    receipts = await connection().execute_query_dict("SELECT DISTINCT kind FROM receipts WHERE applied_at IS NOT NULL")
    assert {row["kind"] for row in receipts} >= {ReceiptKind.DELIVERED, ReceiptKind.UNDELIVERED}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("memory", "sms"), [("lookup", 1500), ("blind", 600)])
async def test_a_storm_of_kills(db: str, tmp_path: Path, memory: str, sms: int) -> None:
    """Without keys every request is a new effect: here a blind resend would show as sent twice."""
    await _storm(db, tmp_path, seed=11, sms=sms, email=100, calls=60, kills=12, patience=120, memory=memory)
