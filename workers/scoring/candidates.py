"""Candidates of cross-sell: categories that a member has not bought yet, with what speaks for each, as of a cut-off."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.commerce.never_recommended import is_never_recommended
from workers.scoring.collaborative import Matrix, Owned, Tastes
from workers.scoring.frames import Floats, frame, ratio
from workers.scoring.history import History, Ints

NOT_CATEGORIES = {"", "UNKNOWN"}
"""What stands for no category at all."""
FEWEST_BUYERS = 10
CHUNK_MEMBERS = 5_000
MOST_PAIRS = 5_000_000
"""With more members times categories than this, only her best candidates by EASE are looked at."""
BEST_PER_MEMBER = 40

TASTE = {
    "ease": "EASE over all she ever bought",
    "ease_recent": "EASE over what she bought in the last 90 days",
    "ease_times": "EASE over all she ever bought, by how often",
    "item_knn": "mean cosine to the categories she bought",
    "low_rank": "twelve-factor view of her basket",
    "alike": "share of members with a similar basket who bought it",
    "ease_place": "place among her candidates by EASE",
    "alike_place": "place among her candidates by similar members",
}
SHELF = {
    "popularity": "share of members who ever bought it",
    "popular_30": "share of members who bought it in the last 30 days",
    "popular_90": "share of members who bought it in the last 90 days",
    **{
        f"first_{days}": f"share of those without it who first bought it in the last {days} days"
        for days in (7, 14, 30, 60)
    },
    "trend_14": "buyers of the last 14 days to those of the last 30",
    "first_trend": "first buyers of the last 14 days to those of the last 60",
    "shelf_owned": "categories of its department that she bought",
    "shelf_share": "share of its department's categories that she bought",
    "shelf_recent": "categories of its department that she bought in the last 90 days",
    "expected": "her new categories of 60 days times the category's share of first purchases",
}
HOUSEHOLD = [
    "recency_days", "visits_30", "visits_90", "orders_90", "categories_ever", "categories_30", "categories_90",
    "new_categories_60", "tenure_days", "spend_30", "spend_90", "lines_per_order_90", "gap_mean", "gap_ew",
    "discount_share_180", "baby_recency", "weeks_active_13", "trend_visits_30_90", "basket_90", "categories_per_visit",
]  # fmt: skip
COLUMNS = [*TASTE, *SHELF, *HOUSEHOLD]


@dataclass(frozen=True)
class Pairs:
    """Rows are (member, category) pairs, by member and then category; `values` has COLUMNS as float32."""

    member: Ints
    category: Ints
    values: pd.DataFrame


def recommendable(history: History) -> npt.NDArray[np.bool_]:
    """Of each category, whether a score or a reason may name it at all."""
    named = zip(history.categories, history.departments, strict=True)
    return np.array(
        [name not in NOT_CATEGORIES and not is_never_recommended(name, of) for name, of in named], dtype=bool
    )


class Shelf:
    """All that is known as of `history.as_of`, ready to be asked for any members' candidates."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.owned = Owned.of(history)
        self.members = np.unique(self.owned.member)
        self.tastes = Tastes.fit(self.owned)
        self.buyers = self.owned.per_category()
        self.recommendable = recommendable(history)
        self.open = np.flatnonzero(self.recommendable & (self.buyers[: self.recommendable.size] >= FEWEST_BUYERS))
        _, self.department = np.unique(np.array(history.departments, dtype=str), return_inverse=True)

    def chunks(self, members: Ints) -> Iterator[Pairs]:
        """The members' candidates, bounded in memory."""
        for start in range(0, members.size, CHUNK_MEMBERS):
            yield self.pairs(members[start : start + CHUNK_MEMBERS])

    def pairs(self, members: Ints) -> Pairs:
        """The candidates of the members (ascending numbers)."""
        owned, one = self.owned, np.ones(self.owned.member.size, dtype=np.float32)
        ever = owned.dense(members, one)
        recent = owned.dense(members, one, owned.last_age <= 90)
        times = owned.dense(members, np.log1p(owned.times).astype(np.float32))
        tastes = self.tastes.score(ever, recent, times)
        wanted = np.zeros(ever.shape, dtype=bool)
        wanted[:, self.open] = True
        wanted &= ever == 0
        if self.members.size * self.open.size > MOST_PAIRS:
            wanted &= _place(tastes["ease"], wanted) < BEST_PER_MEMBER
        row, category = np.nonzero(wanted)
        columns: dict[str, npt.NDArray[np.generic]] = {name: score[row, category] for name, score in tastes.items()}
        for name in ("ease", "alike"):
            columns[f"{name}_place"] = _place(tastes[name], wanted)[row, category]
        columns |= {name: values[category] for name, values in self.by_category.items()}
        columns |= self._departments(ever, recent, row, category)
        household = frame(self.history, members)
        columns["expected"] = household["new_categories_60"].to_numpy()[row] * self.by_category["first_60"][category]
        columns |= {name: household[name].to_numpy()[row] for name in HOUSEHOLD}
        values = pd.DataFrame({name: columns[name].astype(np.float32) for name in COLUMNS})
        return Pairs(members[row], category.astype(np.int64), values)

    @cached_property
    def by_category(self) -> dict[str, Floats]:
        """One value a category."""
        owned, size = self.owned, max(self.members.size, 1)
        lately = {days: owned.per_category(owned.last_age <= days) for days in (14, 30, 90)}
        first = {days: owned.per_category(owned.first_age <= days) for days in (7, 14, 30, 60)}
        without = {days: size - (self.buyers - new) for days, new in first.items()}
        rates = {f"first_{days}": ratio(new, without[days]) for days, new in first.items()}
        return {
            "popularity": self.buyers / size, "popular_30": lately[30] / size, "popular_90": lately[90] / size, **rates,
            "trend_14": (lately[14] * 30 / 14 + 5) / (lately[30] + 5),
            "first_trend": (first[14] * 60 / 14 + 2) / (first[60] + 2),
        }  # fmt: skip

    def _departments(self, ever: Matrix, recent: Matrix, row: Ints, category: Ints) -> dict[str, Matrix]:
        count = int(self.department.max(initial=0)) + 1
        shelf = np.zeros((ever.shape[1], count), dtype=np.float32)
        known = np.flatnonzero(self.buyers[: self.department.size])  # a later category is none yet
        shelf[known, self.department[known]] = 1
        place = self.department[category]
        held, lately = ever @ shelf, recent @ shelf
        size = np.maximum(shelf.sum(axis=0), 1)
        return {
            "shelf_owned": held[row, place], "shelf_share": (held / size)[row, place],
            "shelf_recent": lately[row, place],
        }  # fmt: skip


def _place(scores: Matrix, wanted: npt.NDArray[np.bool_]) -> Matrix:
    """0 = highest of the wanted columns of its row; ties in the order of the columns."""
    order = np.argsort(np.where(wanted, -scores, np.inf), axis=1, kind="stable")
    places = np.empty(scores.shape, dtype=np.float32)
    np.put_along_axis(
        places, order, np.broadcast_to(np.arange(scores.shape[1], dtype=np.float32), scores.shape), axis=1
    )
    return places
