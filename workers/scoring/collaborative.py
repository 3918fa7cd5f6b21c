"""What families with similar baskets buy: EASE, item-kNN, a low-rank view and taste neighbours, as of one cut-off.

Everything is fitted on the history it is given and on nothing later. Sums over members are of whole numbers where they
can be, and linear algebra runs on one thread (`quiet`), so that the same history gives the same bytes.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from scipy import sparse

from workers.scoring.history import DAY_SECONDS, History, Ints, Table, day_number

Matrix = npt.NDArray[np.float32]
EASE_LAMBDA = 500.0
NEXT_LAMBDA = 300.0
FACTORS = 12
NEIGHBOURS = 2_000
"""Members that taste neighbours are looked for among: enough, and bounded whatever the number of members."""
FITTED_ON = 100_000
"""Members that the item weights are fitted on, at most."""
WINDOW_DAYS = 30


@dataclass(frozen=True)
class Tastes:
    """Weights between categories, fitted as of one cut-off. `score` is pure and works on any rows of members."""

    ease: Matrix
    cosine: Matrix
    low_rank: Matrix
    following: Matrix  # what was newly bought in the last window, explained by what was owned before it
    neighbours: Matrix  # baskets of the sampled members

    def score(self, owned: Matrix, recent: Matrix) -> dict[str, Matrix]:
        """Scores of every category for members with these baskets (rows): members x categories each."""
        breadth = np.maximum(owned.sum(axis=1, keepdims=True), 1)
        size = np.maximum(np.sqrt(self.neighbours.sum(axis=1)), 1)
        alike = (owned @ (self.neighbours / size[:, None]).T) / np.sqrt(breadth)
        weight = alike.astype(np.float32) ** 8
        weight[alike > 0.9999] = 0  # herself
        total = np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1e-9))
        return {
            "ease": owned @ self.ease,
            "ease_recent": recent @ self.ease,
            "item_knn": (owned @ self.cosine) / breadth,
            "low_rank": owned @ self.low_rank,
            "following": _with_one(owned) @ self.following,
            "alike": (weight @ self.neighbours) / total,
        }


def owned_matrix(table: Table, members: Ints, width: int, newest_first_day: int | None = None) -> Matrix:
    """1 where the member (row) bought the category (column), since a day when one is given."""
    rows = np.full(int(max(table["member"].max(initial=-1), members.max(initial=-1))) + 1, -1, dtype=np.int64)
    rows[members] = np.arange(members.size)
    at = rows[table["member"]]
    chosen = at >= 0
    if newest_first_day is not None:
        chosen &= table["at_s"] >= newest_first_day * DAY_SECONDS
    matrix = np.zeros((members.size, width), dtype=np.float32)
    matrix[at[chosen], table["category"][chosen]] = 1
    return matrix


def fit(history: History) -> Tastes:
    """The weights as of `history.as_of`."""
    width = len(history.categories)
    everyone = np.unique(history.baskets["member"])
    members = everyone[:: max(1, -(-everyone.size // FITTED_ON))]
    owned = sparse.csr_matrix(owned_matrix(history.baskets, members, width))
    together = np.asarray((owned.T @ owned).todense(), dtype=np.float64)
    buyers = np.diag(together).copy()
    inverse = np.linalg.inv(together + EASE_LAMBDA * np.eye(width))
    ease = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(ease, 0)
    norm = np.sqrt(np.maximum(buyers, 1))
    cosine = together / norm[:, None] / norm[None, :]
    np.fill_diagonal(cosine, 0)
    _, vectors = np.linalg.eigh(together)
    top = vectors[:, -FACTORS:]
    sampled = members[:: max(1, -(-members.size // NEIGHBOURS))]
    return Tastes(
        ease=ease.astype(np.float32),
        cosine=cosine.astype(np.float32),
        low_rank=(top @ top.T).astype(np.float32),
        following=_following(history, members, width),
        neighbours=owned_matrix(history.baskets, sampled, width),
    )


def _with_one(owned: Matrix) -> Matrix:
    return np.concatenate([owned, np.ones((owned.shape[0], 1), dtype=np.float32)], axis=1)


def _following(history: History, members: Ints, width: int) -> Matrix:
    """Ridge weights from what was owned a window ago (and a constant) to what was first bought in that window."""
    start = history.as_of - timedelta(days=WINDOW_DAYS)
    earlier = history.before(start)
    known = members[np.isin(members, earlier.baskets["member"])]
    if known.size == 0:
        return np.zeros((width + 1, width), dtype=np.float32)
    owned = _with_one(owned_matrix(earlier.baskets, known, width))
    bought = owned_matrix(history.between(history.baskets, start, history.as_of), known, width)
    fresh = bought * (1 - owned[:, :width])
    gram = (owned.T @ owned).astype(np.float64)
    return np.linalg.solve(gram + NEXT_LAMBDA * np.eye(width + 1), (owned.T @ fresh).astype(np.float64)).astype(
        np.float32
    )


def since(history: History, days: int) -> int:
    return day_number(history.as_of) - days
