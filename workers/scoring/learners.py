"""Models as plain text: LightGBM's own format and a logistic regression in JSON. No pickles.

Each learner gives probabilities and, for reasons, what every feature adds to the log-odds. Training is deterministic:
the same rows give the same text whatever the number of threads.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol, Self

import lightgbm
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]
SEED = 20_170_101
THREADS = 2


class Learner(Protocol):
    """What a trained model can do. `contributions` leaves the constant out: rows x features, in log-odds."""

    family: str
    features: list[str]

    def predict(self, rows: pd.DataFrame) -> Floats: ...
    def contributions(self, rows: pd.DataFrame) -> Floats: ...
    def text(self) -> str: ...


class Forest:
    """LightGBM, kept as its own text."""

    family = "lightgbm"

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster
        self.features: list[str] = booster.feature_name()

    @classmethod
    def train(
        cls,
        rows: pd.DataFrame,
        labels: npt.NDArray[np.generic],
        params: dict[str, Any],
        rounds: int,
        *,
        weights: Floats | None = None,
        threads: int = THREADS,
    ) -> Self:
        fixed = {
            "objective": "binary", "verbosity": -1, "seed": SEED, "deterministic": True, "force_row_wise": True,
            "num_threads": threads,
        }  # fmt: skip
        data = lightgbm.Dataset(rows, labels, weight=weights, params=fixed, free_raw_data=True)
        trained = lightgbm.train({**params, **fixed}, data, rounds)
        return cls(lightgbm.Booster(model_str=_without_threads(trained.model_to_string())))

    @classmethod
    def read(cls, text: str) -> Self:
        return cls(lightgbm.Booster(model_str=text))

    def predict(self, rows: pd.DataFrame) -> Floats:
        return np.asarray(self._booster.predict(rows[self.features], num_threads=THREADS), dtype=np.float64)

    def contributions(self, rows: pd.DataFrame) -> Floats:
        found = self._booster.predict(rows[self.features], pred_contrib=True, num_threads=THREADS)
        return np.asarray(found, dtype=np.float64)[:, :-1]

    def text(self) -> str:
        return _without_threads(self._booster.model_to_string())


def _without_threads(text: str) -> str:
    """The text without the number of threads it was trained on, which changes nothing else."""
    return "\n".join(line for line in text.split("\n") if not line.startswith("[num_threads:"))


class Logistic:
    """Logistic regression on signed logarithms of the features, standardised: the hard baseline, and the spare."""

    def __init__(
        self, family: str, features: Sequence[str], centre: Floats, scale: Floats, weights: Floats, constant: float
    ) -> None:
        self.family = family
        self.features = list(features)
        self._centre, self._scale, self._weights, self._constant = centre, scale, weights, constant

    @classmethod
    def train(
        cls,
        family: str,
        rows: pd.DataFrame,
        labels: npt.NDArray[np.generic],
        features: Sequence[str],
        weights: Floats | None = None,
    ) -> Self:
        values = _signed_log(rows, features)
        centre, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        fitted = LogisticRegression(C=0.1, max_iter=500).fit((values - centre) / scale, labels, weights)
        return cls(family, features, centre, scale, fitted.coef_[0], float(fitted.intercept_[0]))

    @classmethod
    def read(cls, text: str) -> Self:
        told = json.loads(text)
        centre, scale, weights = (np.array(told[name], dtype=np.float64) for name in ("centre", "scale", "weights"))
        return cls(told["family"], told["features"], centre, scale, weights, told["constant"])

    def predict(self, rows: pd.DataFrame) -> Floats:
        odds = self.contributions(rows).sum(axis=1) + self._constant
        return np.asarray(1 / (1 + np.exp(-odds)), dtype=np.float64)

    def contributions(self, rows: pd.DataFrame) -> Floats:
        found = (_signed_log(rows, self.features) - self._centre) / self._scale * self._weights
        return np.asarray(found, dtype=np.float64)

    def text(self) -> str:
        arrays = {"centre": self._centre, "scale": self._scale, "weights": self._weights}
        told = {name: [float(value) for value in values] for name, values in arrays.items()}
        return json.dumps({"family": self.family, "features": self.features, **told, "constant": self._constant})


def _signed_log(rows: pd.DataFrame, features: Sequence[str]) -> Floats:
    values = rows[list(features)].to_numpy(dtype=np.float64)
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)


class BaseRate:
    """The same word for everybody: what is left when there is nothing to learn from."""

    family = "base_rate"

    def __init__(self, rate: float) -> None:
        self.features: list[str] = []
        self._rate = rate

    @classmethod
    def train(cls, positives: int, rows: int) -> Self:
        """Laplace's rule: never quite 0 or 1, and one half when nothing was seen."""
        return cls((positives + 1) / (rows + 2))

    @classmethod
    def read(cls, text: str) -> Self:
        return cls(json.loads(text)["rate"])

    def predict(self, rows: pd.DataFrame) -> Floats:
        return np.full(len(rows), self._rate)

    def contributions(self, rows: pd.DataFrame) -> Floats:
        return np.zeros((len(rows), 0))

    def text(self) -> str:
        return json.dumps({"rate": self._rate})


def read(family: str, text: str) -> Learner:
    """The learner that `text()` wrote."""
    if family == Forest.family:
        return Forest.read(text)
    return BaseRate.read(text) if family == BaseRate.family else Logistic.read(text)
