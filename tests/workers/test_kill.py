"""Kill the worker, empty and stop Redis, against a provider on its worst day: every message is accounted for.

The judge is the provider's own log, joined with the database in SQL; our own view of what happened is not asked.
"""

import asyncio
import random
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
    try:
        return list(await connection().execute_query_dict(VERDICT))
    finally:
        await forget_log()


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


async def _settled() -> bool:
    """Nothing left to do: no open message, no SMS unknown, no receipt on its way."""
    now = await states()
    sms = await connection().execute_query_dict(
        "SELECT count(*) AS n FROM messages WHERE state = 'UNKNOWN' AND channel = 'SMS'"
    )
    return not OPEN & now.keys() and sms[0]["n"] == 0


async def _handed() -> int:
    rows = await connection().execute_query_dict("SELECT count(*)::int AS n FROM messages WHERE attempt > 0")
    return int(rows[0]["n"])


async def _storm(
    db: str, folder: Path, *, seed: int, sms: int, email: int, calls: int, kills: int, patience: float
) -> None:
    """Plan, kill at random progress, FLUSHALL, stop Redis, wait, judge."""
    drawn = random.Random(seed)
    total = sms + email + calls
    bell = Redis(folder, free_port())
    async with web(db) as url:
        with simulator(folder, script="rough", seed_=seed, webhook_url=f"{url}/hooks/sms_http") as provider:
            bell.start()
            try:
                with worker(folder, worker_environment(db, provider, bell.url)) as one:
                    await plan_notes(await make_people(sms, Channel.SMS), Channel.SMS)
                    await plan_notes(await make_people(email, Channel.EMAIL), Channel.EMAIL)
                    await plan_notes(await make_people(calls, Channel.CALL), Channel.CALL)
                    for n in range(kills):
                        goal = total * (n + 1) // (kills + 2)
                        await until(partial(_at_least, goal), 60, f"{goal} of {total}, {await states()}")
                        await asyncio.sleep(drawn.uniform(0, 0.3))
                        one.end(SIGKILL)
                        if n == kills // 2:
                            bell.stop()
                        elif bell.running is not None:
                            client = redis.asyncio.Redis(port=bell.port)
                            await client.flushall()
                            await client.aclose()
                        one.start()
                    await until(_settled, patience, f"{await states()}")
                    assert one.end() == 0, one.words[-2000:]
                    assert " ERROR " not in one.words, one.words[-3000:]
            finally:
                bell.stop()
            found = await _verdict(provider.log)
    assert [row for row in found if row["wrong"]] == []
    assert sum(row["accepted"] for row in found) > sms // 2
    assert sum(row["requests"] or 0 for row in found) > sms, "the storm made nobody post twice: it proves nothing"
    assert await _illegal_moves() == []


async def _at_least(goal: int) -> bool:
    return await _handed() >= goal


async def test_three_kills_lose_nothing_and_send_nothing_twice(db: str, tmp_path: Path) -> None:
    await _storm(db, tmp_path, seed=7, sms=220, email=30, calls=20, kills=3, patience=45)
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
async def test_a_storm_of_kills(db: str, tmp_path: Path) -> None:
    await _storm(db, tmp_path, seed=11, sms=2500, email=200, calls=100, kills=12, patience=150)
