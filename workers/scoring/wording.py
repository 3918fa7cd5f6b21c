"""Which reasons go with a score: the groups of features that moved it most, each only where its sentence is true.

`domain.insight.reasons` has the sentences; what is stored is a code, its effect and the values.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.insight.reasons import AGAINST, FOR
from workers.scoring.candidates import Pairs, Shelf
from workers.scoring.churn import ChurnScores
from workers.scoring.features import REASON_OF
from workers.scoring.learners import Learner

REASONS = 3
MOST_CONTRIBUTIONS = 20_000
"""Contributions are exact and slow (TreeSHAP): for the highest scores; the others' reasons go by rule."""
BY_RULE = ["OVERDUE", "TREND", "FREQUENCY"]
BECAUSE = 2
POPULAR_FROM = 0.3
RISING_FROM = 1.25
TRIES_FROM = 3

Values = dict[str, Any]
Her = dict[str, float]
Fact = Callable[[Her, bool, Her], Values | None]
"""A member's features, whether the fact is to speak for leaving, the medians of everybody -> values, or None when it
is not so."""


def _has_rhythm(her: Her) -> bool:
    """Whether she came on two days or more: who came once has no usual gap, whatever number stands in for it."""
    return her["tenure_days"] > her["recency_days"]


def _overdue(her: Her, is_for: bool, _usual: Her) -> Values | None:
    if not _has_rhythm(her):
        return None
    is_late = her["recency_days"] > her["gap_ew"]
    return {"days": her["recency_days"], "usual": max(round(her["gap_ew"]), 1)} if is_late == is_for else None


def _frequency(her: Her, is_for: bool, usual: Her) -> Values | None:
    return {"visits": her["visits_90"]} if (her["visits_90"] < usual["visits_90"]) == is_for else None


def _rhythm(her: Her, is_for: bool, _usual: Her) -> Values | None:
    longest = her["gap_max_180"]
    is_so = longest >= 28 and longest > her["recency_days"] if is_for else longest < 28
    return {"longest": longest} if is_so and _has_rhythm(her) else None


def _trend(her: Her, is_for: bool, _usual: Her) -> Values | None:
    now, before = her["visits_30"], (her["visits_90"] - her["visits_30"]) / 2
    return {"now": now, "before": before} if (now < before) == is_for else None


def _monetary(her: Her, is_for: bool, _usual: Her) -> Values | None:
    if her["spend_180_rate"] <= 0:
        return None
    less = 1 - her["spend_30"] / her["spend_180_rate"]
    if is_for:
        return {"percent": min(round(less * 100), 100)} if less >= 0.1 else None
    return {} if less <= 0 else None


def _breadth(her: Her, is_for: bool, usual: Her) -> Values | None:
    """Nothing where she came for no goods at all: fuel and coupons are visits, and on no shelf."""
    if her["categories_90"] < 1:
        return None
    is_narrow = her["categories_90"] < usual["categories_90"]
    return {"categories": her["categories_90"]} if is_narrow == is_for else None


def _tenure(her: Her, is_for: bool, _usual: Her) -> Values | None:
    if is_for:
        return {"days": her["tenure_days"]} if her["tenure_days"] <= 60 else None
    return {"months": int(her["tenure_days"] // 30)} if her["tenure_days"] >= 90 else None


def _discount(her: Her, _is_for: bool, _usual: Her) -> Values | None:
    return {"percent": round(her["discount_share_90"] * 100)}


def _channel(her: Her, _is_for: bool, _usual: Her) -> Values | None:
    return {"stores": her["stores_180"], "percent": round(her["main_store_share"] * 100)}


def _weekday(her: Her, _is_for: bool, _usual: Her) -> Values | None:
    return {"percent": round(her["weekend_share"] * 100)}


def _returns(her: Her, _is_for: bool, _usual: Her) -> Values | None:
    return {"count": her["returns_180"]} if her["returns_180"] > 0 else None


FACTS: dict[str, Fact] = {
    "OVERDUE": _overdue, "FREQUENCY": _frequency, "RHYTHM": _rhythm, "TREND": _trend, "MONETARY": _monetary,
    "BREADTH": _breadth, "TENURE": _tenure, "DISCOUNT": _discount, "CHANNEL": _channel, "WEEKDAY": _weekday,
    "RETURNS": _returns,
}  # fmt: skip
"""Groups that may be spoken of. BABY is not among them: what baskets hint about babies is nothing to say aloud."""


def churn_reasons(learner: Learner, scored: ChurnScores) -> list[str]:
    """The reasons of each score as JSON, in the order of the scores: why high above the mean, why low below it."""
    probability = scored.probability
    exact = np.argsort(-probability, kind="stable")[:MOST_CONTRIBUTIONS]
    groups = list(FACTS)
    pushed = np.zeros((probability.size, len(groups)))
    pushed[exact] = _by_group(learner, scored.rows.iloc[exact], groups)
    is_high = probability >= probability.mean()
    usual = {name: float(value) for name, value in scored.rows.median().items()}
    columns = {name: values.tolist() for name, values in scored.rows.items()}
    said = []
    for at in range(probability.size):
        her = {name: values[at] for name, values in columns.items()}
        strength = pushed[at] if is_high[at] else -pushed[at]
        order = [groups[i] for i in np.argsort(-strength, kind="stable") if strength[i] > 0] or BY_RULE
        said.append(_reasons(her, order, usual, is_for=bool(is_high[at])))
    return said


def _by_group(learner: Learner, rows: pd.DataFrame, groups: list[str]) -> npt.NDArray[np.float64]:
    found = learner.contributions(rows)
    of_group = np.array([[REASON_OF.get(name) == group for group in groups] for name in learner.features], dtype=float)
    return np.asarray(found @ of_group.reshape(found.shape[1], len(groups)), dtype=np.float64)


def _reasons(her: dict[str, float], order: list[str], usual: dict[str, float], *, is_for: bool) -> str:
    found = []
    for code in order:
        values = FACTS[code](her, is_for, usual)
        if values is not None:
            found.append({"code": code, "effect": FOR if is_for else AGAINST, "values": values})
        if len(found) == REASONS:
            break
    if not found:
        found = [
            {"code": "LAST_PURCHASE", "effect": FOR if is_for else AGAINST, "values": {"days": her["recency_days"]}}
        ]
    return json.dumps(found)


def cross_sell_reasons(shelf: Shelf, pairs: Pairs, chosen: npt.NDArray[np.int64]) -> list[str]:
    """The reasons of the chosen rows of `pairs` as JSON, in their order."""
    names, history = shelf.history.categories, shelf.history
    member, category = pairs.member[chosen], pairs.category[chosen]
    whose = np.unique(member)
    ever = shelf.owned.dense(whose, np.ones(shelf.owned.member.size, dtype=np.float32))
    sayable = shelf.recommendable & (history.category_baby == 0)
    weight = ever[np.searchsorted(whose, member)] * np.where(sayable[:, None], shelf.tastes.ease, 0).T[category]
    best = np.argsort(-weight, axis=1, kind="stable")[:, :BECAUSE]
    values = pairs.values.iloc[chosen]
    columns = {name: values[name].tolist() for name in ("popularity", "new_categories_60", "first_trend", "first_14")}
    said = []
    for at, number in enumerate(category):
        name, found = names[number], []
        because = [names[i] for i in best[at] if weight[at, i] > 0]
        if because:
            found.append({"code": "ALSO_BOUGHT", "effect": FOR, "values": {"because": because, "category": name}})
        if columns["first_trend"][at] >= RISING_FROM and columns["first_14"][at] >= 0.01:
            found.append({"code": "RISING", "effect": FOR, "values": {"category": name}})
        if columns["popularity"][at] >= POPULAR_FROM or not found:
            share = {"percent": round(columns["popularity"][at] * 100), "category": name}
            found.append({"code": "POPULAR", "effect": FOR, "values": share})
        if columns["new_categories_60"][at] >= TRIES_FROM:
            found.append({"code": "TRIES_NEW", "effect": FOR, "values": {"count": columns["new_categories_60"][at]}})
        said.append(json.dumps(found[:REASONS]))
    return said
