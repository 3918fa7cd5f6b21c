"""What families with similar baskets buy: EASE, item-kNN, a low-rank view and taste neighbours, as of one cut-off.

Everything is fitted on the history it is given and on nothing later. Sums over members are of whole numbers where they
can be, and linear algebra runs on one thread (the job sees to that): the same history gives the same bytes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from workers.scoring.history import DAY_SECONDS, History, Ints, day_number

Matrix = npt.NDArray[np.float32]
EASE_LAMBDA = 500.0
FACTORS = 12
NEIGHBOURS = 2_000
"""Members that taste neighbours are looked for among: enough, and bounded whatever the number of members."""
NEIGHBOUR_POWER = 8
FITTED_ON = 100_000
"""Members that the weights are fitted on, at most."""


@dataclass(frozen=True)
class Owned:
    """Every (member, category) pair once, by member and then category, with when it was bought and how often."""

    member: Ints
    category: Ints
    times: Ints
    first_age: Ints  # days before the cut-off; 1 = the day before
    last_age: Ints
    width: int  # categories

    @classmethod
    def of(cls, history: History) -> "Owned":
        baskets, width = history.baskets, max(len(history.categories), 1)
        keys = baskets["member"] * width + baskets["category"]
        pairs, position, times = np.unique(keys, return_inverse=True, return_counts=True)
        age = day_number(history.as_of) - baskets["at_s"] // DAY_SECONDS
        first = np.zeros(pairs.size, dtype=np.int64)
        last = np.full(pairs.size, np.iinfo(np.int64).max)
        np.maximum.at(first, position, age)
        np.minimum.at(last, position, age)
        return cls(pairs // width, pairs % width, times, first, last, width)

    def dense(
        self, members: Ints, values: npt.NDArray[np.generic], chosen: npt.NDArray[np.bool_] | None = None
    ) -> Matrix:
        """A value for each pair as a matrix: a row a member (ascending), a column a category, 0 where there is none."""
        low, high = np.searchsorted(self.member, [members[0], members[-1] + 1]) if members.size else (0, 0)
        part = slice(low, high)
        row = np.searchsorted(members, self.member[part])
        kept = members[np.minimum(row, members.size - 1)] == self.member[part] if members.size else row < 0
        if chosen is not None:
            kept &= chosen[part]
        matrix = np.zeros((members.size, self.width), dtype=np.float32)
        matrix[row[kept], self.category[part][kept]] = values[part][kept]
        return matrix

    def per_category(self, chosen: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
        """How many members each category has, among the chosen pairs."""
        category = self.category if chosen is None else self.category[chosen]
        return np.bincount(category, minlength=self.width).astype(np.float64)


@dataclass(frozen=True)
class Tastes:
    """Weights between categories, fitted as of one cut-off. `score` is pure and works on any rows of members."""

    ease: Matrix
    cosine: Matrix
    low_rank: Matrix
    neighbours: Matrix  # baskets of the sampled members

    @classmethod
    def fit(cls, owned: Owned) -> "Tastes":
        everyone = np.unique(owned.member)
        members = everyone[:: max(1, -(-everyone.size // FITTED_ON))]
        kept = np.isin(owned.member, members)
        cells = (np.ones(int(kept.sum())), (np.searchsorted(members, owned.member[kept]), owned.category[kept]))
        baskets = sparse.csr_matrix(cells, shape=(members.size, owned.width))
        together = np.asarray((baskets.T @ baskets).todense(), dtype=np.float64)
        inverse = np.linalg.inv(together + EASE_LAMBDA * np.eye(owned.width))
        ease = -inverse / np.diag(inverse)[None, :]
        norm = np.sqrt(np.maximum(np.diag(together), 1))
        cosine = together / norm[:, None] / norm[None, :]
        np.fill_diagonal(ease, 0)
        np.fill_diagonal(cosine, 0)
        _, vectors = np.linalg.eigh(together)
        top = vectors[:, -FACTORS:]
        sampled = members[:: max(1, -(-members.size // NEIGHBOURS))]
        ones = np.ones(owned.member.size, dtype=np.float32)
        parts = (ease, cosine, top @ top.T, owned.dense(sampled, ones))
        return cls(*(part.astype(np.float32) for part in parts))

    def score(self, ever: Matrix, recent: Matrix, times: Matrix) -> dict[str, Matrix]:
        """Scores of every category for members (rows) with these baskets: bought ever, lately, log of how often."""
        breadth = np.maximum(ever.sum(axis=1, keepdims=True), 1)
        size = np.maximum(np.sqrt(self.neighbours.sum(axis=1)), 1)
        alike = (ever @ (self.neighbours / size[:, None]).T) / np.sqrt(breadth)
        weight = np.where(alike > 0.9999, 0, alike).astype(np.float32) ** NEIGHBOUR_POWER  # not herself
        total = np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1e-9))
        return {
            "ease": ever @ self.ease, "ease_recent": recent @ self.ease, "ease_times": times @ self.ease,
            "item_knn": (ever @ self.cosine) / breadth, "low_rank": ever @ self.low_rank,
            "alike": (weight @ self.neighbours) / total,
        }  # fmt: skip
