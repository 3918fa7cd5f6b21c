"""Churn: no purchase in the 30 days from the cut-off, among members who bought in the 90 days before it.

Trained on rolling earlier cut-offs whose label windows have ended, judged on the last one, then trained once more with
that one included. LightGBM goes live only when it is no worse than the RFM logistic regression, which serves otherwise.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.scoring import HORIZON_DAYS, judging
from workers.scoring.calibration import Calibration
from workers.scoring.features import NAMES, feature_hash
from workers.scoring.frames import active, frame
from workers.scoring.history import History, Ints
from workers.scoring.learners import THREADS, BaseRate, Forest, Learner, Logistic
from workers.scoring.trained import Figures, Judgement, Progress, Trained

NAME = "churn"
FOREST, SPARE, RECENCY = "lightgbm", "rfm_logistic", "recency"
RFM = ["recency_days", "visits_90", "orders_90", "spend_90", "gap_mean", "categories_90", "tenure_days"]
PARAMS = {
    "num_leaves": 7, "learning_rate": 0.03, "min_data_in_leaf": 100, "feature_fraction": 0.3, "bagging_fraction": 0.7,
    "bagging_freq": 1, "lambda_l2": 20.0,
}  # fmt: skip
ROUNDS = 300
STEP_DAYS = 15
FEWEST_KNOWN_DAYS = 45
"""A cut-off with less history than this before it teaches little."""
MOST_CUT_OFFS = 20
MOST_ROWS = 300_000
FEWEST_OF_A_CLASS = 10
FEWEST_FOR_FOREST = 50
MARGIN = 0.005
"""No worse: the lower bound of the paired AUC difference may be this much below zero."""

Labels = npt.NDArray[np.float64]
Rows = tuple[pd.DataFrame, Labels]


@dataclass(frozen=True)
class ChurnScores:
    """Members by number, with their features; in the order of the members."""

    members: Ints
    rows: pd.DataFrame
    probability: npt.NDArray[np.float64]


def train(history: History, say: Progress, threads: int = THREADS) -> Trained:
    """The model as of `history.as_of`; whatever the data, some model comes back, and `why` says which and why."""
    cut_offs = _cut_offs(history)
    share = max(1, -(-history.members * max(len(cut_offs), 1) // MOST_ROWS))
    learned = history.every(share)
    known = {}
    for number, day in enumerate(cut_offs, start=1):
        say(f"churn: features as of {day} ({number} of {len(cut_offs)})")
        known[day] = _labelled(learned, day)
    say("churn: training and judging")
    last = history.as_of - timedelta(days=HORIZON_DAYS)
    before = _stack([known[day] for day in cut_offs if day <= last - timedelta(days=HORIZON_DAYS)])
    judged = _judge(known, last, before, threads) if last in known else None
    rows = _stack([known[day] for day in cut_offs])
    family, why = _choose(rows, judged)
    learner = _fit(family, rows, threads)
    calibration = Calibration()
    if judged is not None and family in (FOREST, SPARE):
        held_out, labels = known[last]
        calibration = Calibration.fit(_fit(family, before, threads).predict(held_out), labels)
    return Trained(
        NAME,
        history.as_of,
        learner,
        calibration,
        cut_offs,
        feature_hash(),
        history.data_hash,
        judged,
        why,
    )


def score(model: Trained, history: History) -> ChurnScores:
    """The members active as of `history.as_of`, with their probabilities."""
    members = active(history)
    rows = frame(history, members)
    return ChurnScores(members, rows, np.clip(model.calibration.apply(model.learner.predict(rows)), 0, 1))


def _cut_offs(history: History) -> list[date]:
    """Newest first; each with its label window before the as-of date and enough known before it."""
    if history.first_day is None:
        return []
    newest = history.as_of - timedelta(days=HORIZON_DAYS)
    every = (newest - timedelta(days=STEP_DAYS * n) for n in range(MOST_CUT_OFFS))
    return [day for day in every if (day - history.first_day).days >= FEWEST_KNOWN_DAYS]


def _labelled(history: History, cut_off: date) -> Rows:
    earlier = history.before(cut_off)
    members = active(earlier)
    after = history.between(history.orders, cut_off, cut_off + timedelta(days=HORIZON_DAYS))
    return frame(earlier, members), (~np.isin(members, after["member"])).astype(np.float64)


def _stack(parts: list[Rows]) -> Rows:
    if not parts:
        return pd.DataFrame({name: np.zeros(0) for name in NAMES}), np.zeros(0)
    return pd.concat([rows for rows, _ in parts], ignore_index=True), np.concatenate([labels for _, labels in parts])


def _fewest(labels: Labels) -> float:
    return float(min(labels.sum(), labels.size - labels.sum()))


def _fit(family: str, known: Rows, threads: int) -> Learner:
    rows, labels = known
    if family == FOREST:
        return Forest.train(rows, labels, PARAMS, ROUNDS, threads=threads)
    if family in (SPARE, RECENCY):
        return Logistic.train(family, rows, labels, RFM if family == SPARE else ["recency_days"])
    return BaseRate.train(int(labels.sum()), labels.size)


def _choose(known: Rows, judged: Judgement | None) -> tuple[str, str]:
    fewest = _fewest(known[1])
    if fewest < FEWEST_OF_A_CLASS:
        return BaseRate.family, f"only {fewest:.0f} examples of the rarer outcome: everybody gets the base rate"
    if judged is None:
        return SPARE, "too little history to judge a model on: the RFM logistic regression serves"
    if not judged.is_better:
        return SPARE, judging.doubt("AUC", judged.difference, MARGIN) + ", so the RFM logistic regression serves"
    return FOREST, "LightGBM is surely no worse than the RFM logistic regression"


def _judge(known: dict[date, Rows], last: date, before: Rows, threads: int) -> Judgement | None:
    """Every model trained on cut-offs before the last one's features, on the last one. None when data is too thin."""
    rows, labels = known[last]
    if _fewest(before[1]) < FEWEST_FOR_FOREST or _fewest(labels) < FEWEST_OF_A_CLASS:
        return None
    previous = last - timedelta(days=HORIZON_DAYS)
    oldest = _stack([part for day, part in known.items() if day <= previous - timedelta(days=HORIZON_DAYS)])
    weights = judging.resamples(labels.size)
    figures: Figures = {}
    said = {}
    for family in (RECENCY, SPARE, FOREST):
        said[family] = _fit(family, before, threads).predict(rows)
        if previous in known and _fewest(oldest[1]) >= FEWEST_FOR_FOREST:
            learned = _fit(family, oldest, threads).predict(known[previous][0])
            said[family] = Calibration.fit(learned, known[previous][1]).apply(said[family])
        figures[family] = judging.judge_binary(said[family], labels, weights)
    difference = judging.paired_difference(said[FOREST], said[SPARE], labels, weights)
    return Judgement(last, labels.size, int(labels.sum()), figures, difference, difference.low >= -MARGIN)
