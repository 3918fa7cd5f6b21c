"""The whole run in its own process: live scores swap at once, the past disturbs nothing, files repeat byte for byte."""

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pyarrow.parquet as pq
import pytest
from tortoise import Tortoise

from domain.database import connection, tortoise_config
from domain.insight.models import ScoringModel
from domain.insight.reasons import CODES, say_all
from domain.insight.scores import StaleScores, publish
from domain.platform.clock import real_now
from workers.scoring.job import ScoringFailed, run

NEVER = {"BEERS/ALES", "DOMESTIC WINE", "IMPORTED WINE", "LIQUOR", "CIGARETTES", "TOBACCO OTHER"}
TODAY, PAST = date(2017, 12, 15), date(2017, 11, 1)


@dataclass(frozen=True)
class Config:
    database_url: str
    time_zone: str = "UTC"


@pytest.fixture
async def opened(purchases_url: str) -> AsyncIterator[str]:
    """The slice with the ORM open; scores and models go at the end."""
    await Tortoise.init(config=tortoise_config(purchases_url), _enable_global_fallback=True)
    try:
        yield purchases_url
    finally:
        await connection().execute_script("DELETE FROM scores; DELETE FROM scoring_models")
        await Tortoise.close_connections()


async def rows(sql: str, *values: object) -> list[dict[str, Any]]:
    return await connection().execute_query_dict(sql, list(values))


async def test_a_run_publishes_explains_and_repeats_itself(opened: str, tmp_path: Path) -> None:
    said: list[str] = []
    first = await run(Config(opened), TODAY, export=tmp_path / "a", say=said.append)
    assert any("judging" in text for text in said)
    assert {(m.name, m.is_reused) for m in first.models} == {("churn", False), ("cross_sell", False)}
    champions = await rows(
        "SELECT name, version, family, metrics, artifact FROM scoring_models WHERE state = 'CHAMPION'"
    )
    assert {c["name"] for c in champions} == {"churn", "cross_sell"}
    assert all("Judged on 2017-11-15" in json.loads(str(c["metrics"]))["card"] for c in champions)

    live = await rows(
        "SELECT member_id, probability, reasons::text AS why FROM scores WHERE model_name = 'churn' ORDER BY rank"
    )
    active = await rows(
        "SELECT DISTINCT member_id FROM orders WHERE ordered_at >= '2017-09-16' AND ordered_at < '2017-12-15'"
    )
    assert {r["member_id"] for r in live} == {r["member_id"] for r in active}
    said_in_order = [float(str(r["probability"])) for r in live]
    assert said_in_order == sorted(said_in_order, reverse=True)
    scored = await rows("SELECT category, reasons::text AS why FROM scores")
    assert not {row["category"] for row in scored} & NEVER
    assert not [row for row in scored for name in NEVER if f'"{name}"' in row["why"]], "no reason names them either"
    for row in scored:
        reasons = json.loads(str(row["why"]))
        assert {reason["code"] for reason in reasons} <= CODES
        assert len(say_all(reasons, "en")) == len(say_all(reasons, "zh-Hans")) == len(reasons) > 0
    overdue = await rows(
        "SELECT r->'values' ->> 'days' AS days, '2017-12-15'::date - max(o.ordered_at)::date AS real "
        "FROM scores s, jsonb_array_elements(s.reasons) r, orders o WHERE r->>'code' = 'OVERDUE' "
        "AND s.model_name = 'churn' AND o.member_id = s.member_id AND o.ordered_at < '2017-12-15' GROUP BY s.id, r"
    )
    assert len(overdue) > 10
    assert all(float(str(r["days"])) == r["real"] for r in overdue)
    per_member = await rows(
        "SELECT max(rank) AS most, count(*) AS n FROM scores WHERE category <> '' GROUP BY member_id"
    )
    assert all(1 <= r["n"] == r["most"] <= 10 for r in per_member)

    again = await run(Config(opened), TODAY, export=tmp_path / "b")
    assert [m.is_reused for m in again.models] == [True, True]
    for name in ("churn.parquet", "cross_sell.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


async def make_model(name: str, state: str = "CHALLENGER") -> UUID:
    made = await ScoringModel.create(
        name=name, version=secrets.token_hex(4), family="base_rate", state=state, as_of=TODAY, horizon_days=30,
        feature_hash="x", data_hash="x", artifact="{}", trained_at=real_now(),
    )  # fmt: skip
    return made.id


async def test_the_past_is_exported_and_the_live_scores_stay(opened: str, tmp_path: Path) -> None:
    live = await make_model("churn", "CHAMPION")
    await connection().execute_query(
        "INSERT INTO scores (member_id, model_name, probability, rank, model_id, as_of) "
        "SELECT id, 'churn', 0.5, 1, $1, '2017-12-15' FROM members",
        [live],
    )
    before = await rows("SELECT * FROM scores ORDER BY id")
    report = await run(Config(opened), PAST, is_live=False, export=tmp_path)
    assert await rows("SELECT * FROM scores ORDER BY id") == before
    assert await rows("SELECT id FROM scoring_models WHERE state = 'CHAMPION'") == [{"id": live}]
    leaving = pq.read_table(tmp_path / "churn.parquet").to_pylist()
    active = await rows(
        "SELECT DISTINCT m.external_id FROM orders o JOIN members m ON m.id = o.member_id "
        "WHERE ordered_at >= '2017-08-03' AND ordered_at < '2017-11-01'"
    )
    assert {r["member"] for r in leaving} == {r["external_id"] for r in active}
    assert {(r["model"], r["category"]) for r in leaving} == {("churn", "")}
    buying = pq.read_table(tmp_path / "cross_sell.parquet").to_pylist()
    assert len({(r["member"], r["category"]) for r in buying}) == len(buying) == report.models[1].exported > 1000
    sold = await rows("SELECT DISTINCT category FROM products")
    assert {r["category"] for r in sold} >= NEVER, "the families buy them, and the files do not name them"
    assert not {r["category"] for r in buying} & NEVER
    owned = await rows(
        "SELECT DISTINCT m.external_id, p.category FROM order_lines l JOIN orders o ON o.id = l.order_id "
        "JOIN products p ON p.id = l.product_id JOIN members m ON m.id = o.member_id "
        "WHERE o.ordered_at < '2017-11-01'"
    )
    assert not {(r["member"], r["category"]) for r in buying} & {(r["external_id"], r["category"]) for r in owned}


async def test_readers_see_the_old_scores_or_the_new_never_half(opened: str) -> None:
    members = [row["id"] for row in await rows("SELECT id FROM members")]
    models = [await make_model("churn"), await make_model("churn")]
    reader = await asyncpg.connect(opened)
    stop = asyncio.Event()
    seen: list[tuple[int, int, int]] = []

    async def read() -> None:
        while not stop.is_set():
            row = await reader.fetchrow(
                "SELECT count(*) AS n, count(DISTINCT s.model_id) AS models, "
                "count(*) FILTER (WHERE m.state <> 'CHAMPION') AS strangers "
                "FROM scores s JOIN scoring_models m ON m.id = s.model_id"
            )
            seen.append(tuple(row))

    watching = asyncio.create_task(read())
    try:
        for turn in range(12):
            model = models[turn % 2]
            scored = [(member, "", 0.1 + turn / 100, at, "[]") for at, member in enumerate(members, start=1)]
            assert await publish("churn", model, TODAY, scored) == len(members)
    finally:
        stop.set()
        await watching
        await reader.close()
    assert len(seen) > 12
    assert set(seen) <= {(0, 0, 0), (len(members), 1, 0)}
    stale = await publish("churn", models[0], PAST, [])
    assert stale == StaleScores(TODAY)
    assert (await rows("SELECT count(*) AS n FROM scores"))[0]["n"] == len(members)


async def test_a_stopped_family_gets_no_score_about_babies(opened: str) -> None:
    (first, second) = await rows("SELECT id, household_id FROM members ORDER BY id LIMIT 2")
    await connection().execute_script(
        "INSERT INTO babies (id, household_id, presence_source, stopped_at) VALUES (gen_random_uuid(), "
        f"'{first['household_id']}', 'MEMBER', '2017-12-01')"
    )
    model = await make_model("cross_sell")
    wanted = [("BABY FOODS", 1), ("BEEF", 2), ("DIAPERS", 3), ("SOUP", 4)]
    scored = [(who["id"], name, 0.5, rank, "[]") for who in (first, second) for name, rank in wanted]
    try:
        await publish("cross_sell", model, TODAY, scored, ["BABY FOODS", "DIAPERS"])
        found = await rows("SELECT member_id, category, rank FROM scores ORDER BY rank")
        of_first = [(r["category"], r["rank"]) for r in found if r["member_id"] == first["id"]]
        assert of_first == [("BEEF", 1), ("SOUP", 2)]
        assert len([r for r in found if r["member_id"] == second["id"]]) == 4
    finally:
        await connection().execute_script("DELETE FROM babies")


async def test_a_failure_in_the_process_is_told_to_the_caller() -> None:
    with pytest.raises(ScoringFailed, match=r"ConnectionRefusedError|OSError"):
        await run(Config("postgresql://nobody@127.0.0.1:1/none"), TODAY)


def test_what_waits_for_the_run_loads_neither_pandas_nor_lightgbm() -> None:
    code = (
        "import sys, nestling, workers.scoring.job, workers.daily, nestling.cli.score, domain.insight.reasons; "
        "print(sorted({'pandas', 'numpy', 'lightgbm', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
