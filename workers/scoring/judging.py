"""How good: discrimination, calibration and ranking, with bootstrap intervals over members, models side by side."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RESAMPLES = 200
SEED = 7
BINS = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric and its 95% bootstrap interval."""

    value: float
    low: float
    high: float

    def to_json(self) -> list[float | None]:
        """[value, low, high]; null where there is none."""
        return [round(part, 5) if np.isfinite(part) else None for part in (self.value, self.low, self.high)]


def doubt(metric: str, difference: Figure, margin: float) -> str:
    """Why a model is not taken though its figures may be the higher: how far below it could lie on other members."""
    if not np.isfinite(difference.low):
        return "LightGBM could not be compared"
    return f"LightGBM may be worse: its {metric} could lie {-difference.low:.3f} below, and {margin:g} is what we take"


def resamples(size: int) -> Floats:
    """How often each member is drawn, one row a resample. The same for every model: differences are paired."""
    drawn = np.random.default_rng(SEED).integers(0, max(size, 1), (RESAMPLES, size))
    return np.stack([np.bincount(row, minlength=size) for row in drawn]).astype(np.float64)


def _figure(metric: Callable[[Floats], float], weights: Floats) -> Figure:
    spread = np.array([metric(row) for row in weights])
    low, high = np.nanpercentile(spread, [2.5, 97.5]) if np.isfinite(spread).any() else (np.nan, np.nan)
    return Figure(metric(np.ones(weights.shape[1])), float(low), float(high))


def roc_auc(scores: Floats, labels: Floats, weights: Floats) -> float:
    """Chance that a positive is above a negative, ties counting half; NaN when there is one class only."""
    _, tied = np.unique(scores, return_inverse=True)
    positive = np.bincount(tied, weights=weights * labels)
    negative = np.bincount(tied, weights=weights * (1 - labels))
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / pairs) if pairs > 0 else float("nan")


def average_precision(scores: Floats, labels: Floats, weights: Floats) -> float:
    """Mean precision over the positives; tied scores are one step."""
    _, tied = np.unique(-scores, return_inverse=True)
    positive = np.bincount(tied, weights=weights * labels)
    rows = np.bincount(tied, weights=weights)
    precision = np.cumsum(positive) / np.maximum(np.cumsum(rows), 1e-12)
    return float((precision * positive).sum() / positive.sum()) if positive.sum() > 0 else float("nan")


def brier(scores: Floats, labels: Floats, weights: Floats) -> float:
    return float((weights * (scores - labels) ** 2).sum() / weights.sum())


def calibration_error(scores: Floats, labels: Floats, weights: Floats) -> float:
    """Expected calibration error over ten bins of equal size."""
    order = np.argsort(scores, kind="stable")
    place = np.cumsum(weights[order])
    bins = np.minimum((place - weights[order] / 2) / place[-1] * BINS, BINS - 1).astype(np.int64)
    said = np.bincount(bins, weights=(weights * scores)[order], minlength=BINS)
    was = np.bincount(bins, weights=(weights * labels)[order], minlength=BINS)
    return float(np.abs(said - was).sum() / place[-1])


def lift_at_tenth(scores: Floats, labels: Floats, weights: Floats) -> float:
    """Positives among the tenth with the highest scores, to what chance would find there."""
    order = np.argsort(-scores, kind="stable")
    place = np.cumsum(weights[order])
    top = place <= place[-1] / 10
    rate = (weights * labels).sum() / weights.sum()
    found = (weights * labels)[order][top].sum() / max(weights[order][top].sum(), 1e-12)
    return float(found / rate) if rate > 0 else float("nan")


BINARY = {
    "auc": roc_auc, "average_precision": average_precision, "brier": brier, "ece": calibration_error,
    "lift_10": lift_at_tenth,
}  # fmt: skip


def judge_binary(scores: Floats, labels: Floats, weights: Floats) -> dict[str, Figure]:
    """The metrics of one model; `weights` from `resamples`, one column a row of scores."""
    return {
        name: _figure(lambda drawn, metric=metric: metric(scores, labels, drawn), weights)  # type: ignore[misc]
        for name, metric in BINARY.items()
    }


def paired_difference(ours: Floats, theirs: Floats, labels: Floats, weights: Floats) -> Figure:
    """Our AUC less theirs, on the same resamples."""
    return _figure(lambda drawn: roc_auc(ours, labels, drawn) - roc_auc(theirs, labels, drawn), weights)


@dataclass(frozen=True)
class Ranking:
    """Per member with a positive: recall and NDCG of her first ten."""

    recall: Floats
    ndcg: Floats


def rank(scores: Floats, labels: Floats, members: npt.NDArray[np.int64], positives: Floats, top: int = 10) -> Ranking:
    """Rows are pairs; `members` says whose (0..n-1), `positives` how many she has in all, candidates or not."""
    order = np.lexsort((-scores, members))
    whose = members[order]
    starts = np.searchsorted(whose, np.arange(positives.size))
    place = np.arange(whose.size) - starts[whose]
    shown = place < top
    hits, discount = labels[order][shown], 1 / np.log2(place[shown] + 2.0)
    found = np.bincount(whose[shown], weights=hits, minlength=positives.size)
    gain = np.bincount(whose[shown], weights=hits * discount, minlength=positives.size)
    best = np.cumsum(1 / np.log2(np.arange(top) + 2.0))
    some = positives > 0
    ideal = best[np.minimum(positives[some], top).astype(np.int64) - 1]
    return Ranking(found[some] / positives[some], gain[some] / ideal)


def mean_figure(values: Floats, weights: Floats) -> Figure:
    """A mean over members."""
    if not values.size:
        return Figure(float("nan"), float("nan"), float("nan"))
    return _figure(lambda drawn: float((values * drawn).sum() / drawn.sum()), weights)
