"""Isotonic calibration as breakpoints: rising wherever the data is, so that it never changes who comes first."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import isotonic_regression

Floats = npt.NDArray[np.float64]
FEWEST_POSITIVES = 30
"""With fewer, isotonic steps are noise and scores stay as the learner gives them."""
PRIOR_ROWS = 5_000
"""The steps count as much as their rows against so many for what the learner said: months differ more than few rows
tell."""
DIGITS = 12


@dataclass(frozen=True)
class Calibration:
    """Piecewise linear from raw to calibrated probability; no points: the identity."""

    raw: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()

    @classmethod
    def fit(cls, raw: Floats, labels: npt.NDArray[np.generic]) -> Self:
        """Fit on predictions for rows that their learner has not seen. Ties in `raw` are one point."""
        if labels.sum() < FEWEST_POSITIVES or labels.size - labels.sum() < FEWEST_POSITIVES:
            return cls()
        values, position, rows = np.unique(raw, return_inverse=True, return_counts=True)
        rate = np.bincount(position, weights=labels) / rows
        level = isotonic_regression(rate, sample_weight=rows, y_min=0.0, y_max=1.0)
        _, block = np.unique(level, return_inverse=True)
        weight = np.bincount(block, weights=rows)
        centre = np.bincount(block, weights=values * rows) / weight
        steps = np.bincount(block, weights=level * rows) / weight
        height = (raw.size * steps + PRIOR_ROWS * centre) / (raw.size + PRIOR_ROWS)
        height = np.maximum.accumulate(height)
        ends = np.concatenate(([0.0], centre, [1.0])), np.concatenate(([0.0], height, [1.0]))
        rising = np.concatenate(([True], np.diff(ends[0]) > 0))
        return cls(*(tuple(round(float(value), DIGITS) for value in part[rising]) for part in ends))

    def apply(self, raw: Floats) -> Floats:
        if not self.raw:
            return raw
        return np.asarray(np.interp(raw, self.raw, self.calibrated), dtype=np.float64)

    def to_json(self) -> dict[str, Any]:
        return {
            "method": "isotonic" if self.raw else "none",
            "raw": list(self.raw),
            "calibrated": list(self.calibrated),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(tuple(told.get("raw", ())), tuple(told.get("calibrated", ())))
