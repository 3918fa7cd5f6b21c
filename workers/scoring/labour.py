"""The work of one scoring run, inside its own process: read, train or reuse, score, export, put in."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits
from tortoise import Tortoise

from domain.commerce import never_recommended
from domain.database import tortoise_config
from domain.insight import models, scores
from domain.platform.clock import real_now
from workers.scoring import HORIZON_DAYS, churn, cross_sell, export
from workers.scoring.candidates import COLUMNS, Pairs, Shelf
from workers.scoring.cards import card
from workers.scoring.features import NAMES, feature_hash
from workers.scoring.history import History, load
from workers.scoring.job import ModelReport, Order, Progress, ScoringReport
from workers.scoring.trained import Trained, restore
from workers.scoring.wording import churn_reasons, cross_sell_reasons

CHAMPION_SERVES = timedelta(days=7)
"""How long the daily run goes on with a champion before it trains again."""
LIVE_CATEGORIES = 10
"""The best so many categories of each member are kept in the table; an export has all."""
RECIPES = {
    churn.NAME: [churn.PARAMS, churn.ROUNDS, churn.RFM, churn.STEP_DAYS, NAMES],
    cross_sell.NAME: [
        cross_sell.PARAMS,
        cross_sell.ROUNDS,
        cross_sell.CUT_OFFS,
        cross_sell.NEGATIVES_KEPT,
        COLUMNS,
        never_recommended.version(),
    ],
}
"""What a model was made by; a registered one is only reused for the same recipe."""
FEATURE_HASHES = {churn.NAME: feature_hash(), cross_sell.NAME: feature_hash(COLUMNS)}
Rows = Iterator[tuple[UUID, str, float, int, str]]


@dataclass(frozen=True)
class _Chosen:
    model: Trained
    version: str
    metrics: dict[str, Any]
    model_id: UUID
    is_reused: bool


async def labour(order: Order, say: Progress) -> ScoringReport:
    """The whole run. Deterministic: the same data and date give the same models, scores and exported bytes."""
    seconds: dict[str, float] = {}
    started = time.monotonic()

    def lap(name: str) -> None:
        nonlocal started
        now = time.monotonic()
        seconds[name], started = round(now - started, 2), now

    with threadpool_limits(1, user_api="blas"):
        say("reading purchases")
        reader = await asyncpg.connect(order.database_url, server_settings={"timezone": "UTC", "jit": "off"})
        try:
            history = await load(reader, order.as_of, order.time_zone)
        finally:
            await reader.close()
        lap("read")
        await Tortoise.init(config=tortoise_config(order.database_url, max_size=2), _enable_global_fallback=True)
        try:
            leaving = await _chosen(churn.NAME, churn.train, history, order, say)
            lap("train churn")
            first = await _churn(leaving, history, order, say)
            lap("score churn")
            buying = await _chosen(cross_sell.NAME, cross_sell.train, history, order, say)
            lap("train cross_sell")
            second = await _cross_sell(buying, history, order, say)
            lap("score cross_sell")
        finally:
            await Tortoise.close_connections()
    return ScoringReport(order.as_of, history.members, history.orders["member"].size, (first, second), seconds)


async def _chosen(
    name: str, train: Callable[[History, Progress, int], Trained], history: History, order: Order, say: Progress
) -> _Chosen:
    """The model to score with: the same one as before where the data is the same, a young champion, or a new one."""
    known = await models.trained_as_of(name, order.as_of)
    known = [entry for entry in known if entry["data_hash"] == history.data_hash]
    live = await models.champion(name) if order.keeps_champion else None
    if live is not None and timedelta() <= order.as_of - live["as_of"] <= CHAMPION_SERVES:
        known.append(live)
    for entry in known:
        if entry["feature_hash"] == FEATURE_HASHES[name] and entry["metrics"].get("recipe") == RECIPES[name]:
            return _Chosen(restore(entry), entry["version"], entry["metrics"], entry["id"], True)
    model = train(history, say, order.threads)
    metrics = {**model.metrics(), "recipe": RECIPES[name]}
    metrics["card"] = card(model, metrics)
    made = models.Entry(
        name=name, version=model.version, family=model.learner.family, as_of=order.as_of, horizon_days=HORIZON_DAYS,
        features=model.learner.features, feature_hash=model.feature_hash, data_hash=model.data_hash, metrics=metrics,
        calibration=model.calibration.to_json(), artifact=model.learner.text(), trained_at=real_now(),
    )  # fmt: skip
    return _Chosen(model, model.version, metrics, await models.register(made), False)


async def _churn(chosen: _Chosen, history: History, order: Order, say: Progress) -> ModelReport:
    say("churn: scoring")
    scored = churn.score(chosen.model, history)
    exported = written = 0
    if order.export is not None:
        members = [history.external_ids[number] for number in scored.members]
        parts = [(members, [""] * len(members), scored.probability)]
        exported = export.write(order.export, churn.NAME, parts)
    if order.is_live:
        reasons = churn_reasons(chosen.model.learner, scored) if scored.members.size else []
        place = np.empty(scored.members.size, dtype=np.int64)
        place[np.argsort(-scored.probability, kind="stable")] = np.arange(1, scored.members.size + 1)
        columns = scored.members, scored.probability.tolist(), place.tolist(), reasons
        rows = ((history.member_ids[m], "", p, r, why) for m, p, r, why in zip(*columns, strict=True))
        written = await _publish(chosen, order, rows, [])
    return _report(chosen, int(scored.members.size), written, exported)


async def _cross_sell(chosen: _Chosen, history: History, order: Order, say: Progress) -> ModelReport:
    """In chunks by member; where an export and live scores are both wanted they are made twice, never all kept."""
    say("cross-sell: scoring")
    if not history.members:
        return _report(chosen, 0, 0, 0)
    shelf, exported, written = Shelf(history), 0, 0
    if order.export is not None:
        parts = (
            (
                [history.external_ids[number] for number in pairs.member],
                [history.categories[number] for number in pairs.category],
                probability,
            )
            for pairs, probability in cross_sell.score(chosen.model, shelf)
        )
        exported = export.write(order.export, cross_sell.NAME, parts)
    if order.is_live:
        rows = _best(shelf, cross_sell.score(chosen.model, shelf))
        for_babies = [name for name, baby in zip(history.categories, history.category_baby, strict=True) if baby]
        written = await _publish(chosen, order, rows, for_babies)
    return _report(chosen, shelf.members.size, written, exported)


def _best(shelf: Shelf, scored: Iterator[tuple[Pairs, npt.NDArray[np.float64]]]) -> Rows:
    """Each member's best categories with reasons; equal probabilities in the order of the categories."""
    history = shelf.history
    for pairs, probability in scored:
        order = np.lexsort((-probability, pairs.member))
        whose = pairs.member[order]
        place = np.arange(whose.size) - np.searchsorted(whose, whose) + 1
        kept = place <= LIVE_CATEGORIES
        chosen = order[kept]
        columns = (
            pairs.member[chosen], pairs.category[chosen], probability[chosen].tolist(), place[kept].tolist(),
            cross_sell_reasons(shelf, pairs, chosen),
        )  # fmt: skip
        for member, category, score, rank, why in zip(*columns, strict=True):
            yield history.member_ids[member], history.categories[category], score, rank, why


async def _publish(chosen: _Chosen, order: Order, rows: Rows, for_babies: list[str]) -> int:
    answer = await scores.publish(chosen.model.name, chosen.model_id, order.as_of, rows, for_babies)
    return answer if isinstance(answer, int) else 0


def _report(chosen: _Chosen, scored: int, written: int, exported: int) -> ModelReport:
    model = chosen.model
    return ModelReport(
        model.name, chosen.version, model.learner.family, model.as_of, chosen.is_reused, chosen.metrics, scored,
        written, exported,
    )  # fmt: skip
