"""Cross-sell: the first purchase of a category in the 30 days from the cut-off, for every category she has not bought.

One binary LightGBM over candidates gives rank and probability. Trained on earlier cut-offs (all that happened, a part
of what did not, weighted back), judged on the last beside popularity, item-kNN and EASE; popularity serves when it
loses.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.scoring import HORIZON_DAYS, judging
from workers.scoring.calibration import Calibration
from workers.scoring.candidates import COLUMNS, Pairs, Shelf
from workers.scoring.collaborative import FITTED_ON
from workers.scoring.features import feature_hash
from workers.scoring.history import History, Ints
from workers.scoring.learners import SEED, THREADS, BaseRate, Forest, Learner, Logistic
from workers.scoring.trained import Figures, Judgement, Progress, Trained

NAME = "cross_sell"
FOREST, SPARE = "lightgbm", "popularity"
PARAMS = {
    "num_leaves": 15, "learning_rate": 0.08, "min_data_in_leaf": 1000, "feature_fraction": 0.3, "bagging_fraction": 0.8,
    "bagging_freq": 1, "lambda_l2": 100.0,
}  # fmt: skip
ROUNDS = 120
CUT_OFFS = 4
FEWEST_KNOWN_DAYS = 45
TRAINED_ON_MEMBERS = 4_000
NEGATIVES_KEPT = 0.15
FEWEST_OF_A_CLASS = 20
FEWEST_FOR_FOREST = 200
MARGIN = 0.005
"""No worse: the lower bound of the paired NDCG difference may be this much below zero."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """Candidates of one cut-off with what came of them."""

    pairs: Pairs
    labels: Floats
    members: Ints
    positives: Floats  # of each member, candidates or not

    def sampled(self, cut_off: date) -> tuple[pd.DataFrame, Floats, Floats]:
        """All positives and a part of the negatives, weighted back to what they stand for."""
        drawn = np.random.default_rng([SEED, cut_off.toordinal()]).random(self.labels.size)
        kept = (self.labels > 0) | (drawn < NEGATIVES_KEPT)
        weights = np.where(self.labels[kept] > 0, 1.0, 1 / NEGATIVES_KEPT)
        return self.pairs.values[kept], self.labels[kept], weights


def train(history: History, say: Progress, threads: int = THREADS) -> Trained:
    """The model as of `history.as_of`; `why` says which family serves, and why."""
    cut_offs = _cut_offs(history)
    learned = history.every(-(-history.members // FITTED_ON))
    known: dict[date, Labelled] = {}
    for number, day in enumerate(cut_offs, start=1):
        say(f"cross-sell: candidates as of {day} ({number} of {len(cut_offs)})")
        known[day] = _labelled(learned, day)
    say("cross-sell: training and judging")
    last = history.as_of - timedelta(days=HORIZON_DAYS)
    earlier = {day: part for day, part in known.items() if day < last}
    judged, held_out = None, None
    if last in known and _fewest(earlier) >= FEWEST_FOR_FOREST and _fewest({last: known[last]}) >= FEWEST_OF_A_CLASS:
        judged, held_out = _judge(known[last], last, earlier, threads)
    family, why = _choose(known, judged)
    newest = {day: known[day] for day in cut_offs[:CUT_OFFS]}
    learner = _fit(family, newest, threads)
    calibration = Calibration.fit(held_out[family], known[last].labels) if held_out else Calibration()
    return Trained(
        NAME, history.as_of, learner, calibration, list(newest), feature_hash(COLUMNS), history.data_hash, judged, why
    )


def score(model: Trained, shelf: Shelf) -> Iterator[tuple[Pairs, Floats]]:
    """Candidates with probabilities for every member with a purchase, in chunks by member; none without a model."""
    if isinstance(model.learner, BaseRate):
        return
    for pairs in shelf.chunks(shelf.members):
        if pairs.member.size:
            raw = model.learner.predict(pairs.values)
            yield pairs, np.clip(model.calibration.apply(raw), 0, 1)


def _cut_offs(history: History) -> list[date]:
    """Newest first: enough for the final model, and for the judged one that starts a month earlier."""
    if history.first_day is None:
        return []
    every = (history.as_of - timedelta(days=HORIZON_DAYS * n) for n in range(1, CUT_OFFS + 2))
    return [day for day in every if (day - history.first_day).days >= FEWEST_KNOWN_DAYS]


def _labelled(history: History, cut_off: date) -> Labelled:
    known = history.before(cut_off)
    shelf = Shelf(known)
    members = shelf.members[:: max(1, -(-shelf.members.size // TRAINED_ON_MEMBERS))]
    pairs = shelf.pairs(members)
    # What came after, by the same category numbers: a pair's key is in it, or it is not.
    after = history.between(history.baskets, cut_off, cut_off + timedelta(days=HORIZON_DAYS))
    width = shelf.owned.width
    may_be_named = shelf.recommendable[after["category"]]
    bought = np.unique((after["member"] * width + after["category"])[may_be_named])
    fresh = bought[~np.isin(bought, shelf.owned.member * width + shelf.owned.category)]
    labels = np.isin(pairs.member * width + pairs.category, fresh).astype(np.float64)
    whose = np.searchsorted(members, fresh // width)
    mine = members[np.minimum(whose, members.size - 1)] == fresh // width if members.size else whose < 0
    positives = np.bincount(whose[mine], minlength=members.size).astype(np.float64)
    return Labelled(pairs, labels, members, positives)


def _fewest(known: dict[date, Labelled]) -> float:
    positives = sum(float(part.labels.sum()) for part in known.values())
    return min(positives, sum(part.labels.size for part in known.values()) - positives)


def _fit(family: str, known: dict[date, Labelled], threads: int) -> Learner:
    if family == BaseRate.family:
        return BaseRate.train(0, 0)
    parts = [part.sampled(day) for day, part in known.items()]
    rows = pd.concat([values for values, _, _ in parts], ignore_index=True)
    labels, weights = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
    if family == FOREST:
        return Forest.train(rows, labels, PARAMS, ROUNDS, weights=weights, threads=threads)
    return Logistic.train(family, rows, labels, ["popularity"], weights)


def _choose(known: dict[date, Labelled], judged: Judgement | None) -> tuple[str, str]:
    if _fewest(known) < FEWEST_OF_A_CLASS:
        return BaseRate.family, "too few first purchases to learn from: no cross-sell scores"
    if judged is None:
        return SPARE, "too little history to judge a model on: popularity serves"
    if not judged.is_better:
        return SPARE, judging.doubt("NDCG@10", judged.difference, MARGIN) + ", so popularity serves"
    return FOREST, "LightGBM is surely no worse than popularity"


def _judge(
    seen: Labelled, last: date, earlier: dict[date, Labelled], threads: int
) -> tuple[Judgement, dict[str, Floats]]:
    """Every model, trained on cut-offs before the last one, on the last one; and what the families said there."""
    held_out = {family: _fit(family, earlier, threads).predict(seen.pairs.values) for family in (SPARE, FOREST)}
    said = dict(held_out)
    for baseline in ("item_knn", "ease"):
        said[baseline] = seen.pairs.values[baseline].to_numpy(dtype=np.float64)
    whose = np.searchsorted(seen.members, seen.pairs.member)
    weights = judging.resamples(int((seen.positives > 0).sum()))
    figures: Figures = {}
    rankings = {}
    for name in (SPARE, "item_knn", "ease", FOREST):
        rankings[name] = judging.rank(said[name], seen.labels, whose, seen.positives)
        found = {
            "recall_10": judging.mean_figure(rankings[name].recall, weights),
            "ndcg_10": judging.mean_figure(rankings[name].ndcg, weights),
        }
        once = np.ones((1, seen.labels.size))
        metrics = judging.BINARY if name in held_out else {"auc": judging.roc_auc}
        for metric, measure in metrics.items():
            value = measure(said[name], seen.labels, once[0])
            found[metric] = judging.Figure(value, float("nan"), float("nan"))
        figures[name] = found
    difference = judging.mean_figure(rankings[FOREST].ndcg - rankings[SPARE].ndcg, weights)
    positives = int(seen.labels.sum())
    return Judgement(last, seen.labels.size, positives, figures, difference, difference.low >= -MARGIN), held_out
