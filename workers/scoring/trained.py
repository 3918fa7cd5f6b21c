"""A trained model with everything that says what it is: what it saw, how good it is, beside its baselines."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from workers.scoring.calibration import Calibration
from workers.scoring.judging import Figure
from workers.scoring.learners import Learner, read

Progress = Callable[[str], None]
Figures = dict[str, dict[str, Figure]]


@dataclass(frozen=True)
class Judgement:
    """How the candidates did on the last cut-off, each trained on earlier ones only."""

    cut_off: date
    rows: int
    positives: int
    figures: Figures  # by model, then by metric
    difference: Figure  # ours less the baseline's, paired
    is_better: bool  # no worse than the baseline: it may go live


@dataclass(frozen=True)
class Trained:
    """`judgement` is None when the history is too short to judge; `why` then says what serves instead, and why."""

    name: str
    as_of: date
    learner: Learner
    calibration: Calibration
    cut_offs: list[date]
    feature_hash: str
    data_hash: str
    judgement: Judgement | None
    why: str

    @property
    def version(self) -> str:
        """The as-of date and a hash of all that made the model: the same inputs give the same version."""
        told = f"{self.name}|{self.feature_hash}|{self.data_hash}|{self.learner.text()}"
        return f"{self.as_of.isoformat()}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    def metrics(self) -> dict[str, Any]:
        """What the registry keeps beside the model."""
        found: dict[str, Any] = {"why": self.why, "training_cut_offs": [day.isoformat() for day in self.cut_offs]}
        if (seen := self.judgement) is not None:
            found |= {
                "judged_on": seen.cut_off.isoformat(), "rows": seen.rows, "positives": seen.positives,
                "difference_to_baseline": seen.difference.to_json(), "goes_live": seen.is_better,
                "models": {
                    model: {metric: figure.to_json() for metric, figure in figures.items()}
                    for model, figures in seen.figures.items()
                },
            }  # fmt: skip
        return found


def restore(entry: dict[str, Any]) -> Trained:
    """A model from its registry row (without its judgement, which nothing but the metrics tells)."""
    return Trained(
        name=entry["name"],
        as_of=entry["as_of"],
        learner=read(entry["family"], entry["artifact"]),
        calibration=Calibration.from_json(entry["calibration"]),
        cut_offs=[date.fromisoformat(day) for day in entry["metrics"]["training_cut_offs"]],
        feature_hash=entry["feature_hash"],
        data_hash=entry["data_hash"],
        judgement=None,
        why=entry["metrics"]["why"],
    )
