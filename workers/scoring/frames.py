"""The declared features of every member as of a cut-off, from `History` alone.

Point in time: `frame(history.before(cut_off), ...)` sees nothing at or after the cut-off. Ties cannot matter: sums are
of whole numbers, gaps are between days. Windows longer than the history are rates over what there is of it.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from workers.scoring import ACTIVE_DAYS
from workers.scoring.features import NAMES
from workers.scoring.history import BABY_CLASSES, DAY_SECONDS, History, Ints, Table, day_number

Floats = npt.NDArray[np.float64]


def active(history: History) -> Ints:
    """Numbers of the members who bought within ACTIVE_DAYS before `history.as_of`, ascending."""
    recent = history.orders["at_s"] >= (day_number(history.as_of) - ACTIVE_DAYS) * DAY_SECONDS
    return np.unique(history.orders["member"][recent])


def frame(history: History, members: Ints) -> pd.DataFrame:
    """The declared features of the members as of `history.as_of`: one row each, in their order, float64, no NaN."""
    view = _View(history)
    columns: dict[str, Floats] = {}
    for part in (_frequency, _rhythm, _money, _breadth, _baby, _habits):
        columns |= part(view)
    return pd.DataFrame({name: columns[name][members] for name in NAMES}, index=pd.Index(members, name="member"))


class _View:
    """Sums over windows of one history, for every member number."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.size = history.members
        self.today = day_number(history.as_of)
        at_s = history.orders["at_s"]
        self.known_days = max(self.today - int(at_s[0]) // DAY_SECONDS, 1) if at_s.size else 1
        self.order_age = self.today - at_s // DAY_SECONDS  # 1 = the day before the cut-off
        self.basket_age = self.today - history.baskets["at_s"] // DAY_SECONDS
        self.return_age = self.today - history.returns["at_s"] // DAY_SECONDS
        days = np.unique(history.orders["member"] * 100_000 + at_s // DAY_SECONDS)
        self.visit_member, visit_day = days // 100_000, days % 100_000  # by member, then by day
        self.visit_age = self.today - visit_day

    def count(self, members: Ints, weights: npt.NDArray[np.generic] | None = None) -> Floats:
        return np.bincount(members, weights=weights, minlength=self.size).astype(np.float64)

    def within(self, table: Table, age: Ints, days: int, column: str | None = None, newest: int = 1) -> Floats:
        """Rows, or the sum of a column, of the ages in [newest, days]."""
        chosen = (age <= days) & (age >= newest)
        return self.count(table["member"][chosen], None if column is None else table[column][chosen])

    def visits(self, days: int, newest: int = 1) -> Floats:
        return self.count(self.visit_member[(self.visit_age <= days) & (self.visit_age >= newest)])

    def distinct(self, members: Ints, values: Ints) -> Floats:
        """How many different values each member has."""
        base = int(values.max(initial=0)) + 1
        return self.count(np.unique(members * base + values) // base)

    def months(self, days: int) -> float:
        return min(days, self.known_days) / 30.0

    def spend(self, days: int, newest: int = 1) -> Floats:
        bought = self.within(self.history.orders, self.order_age, days, "cents", newest)
        returned = self.within(self.history.returns, self.return_age, days, "cents", newest)
        return (bought - returned) / 100.0


def ratio(above: Floats, below: Floats, otherwise: float = 0.0) -> Floats:
    """above / below, and a fixed value where there is nothing below."""
    return np.divide(above, below, out=np.full_like(above, otherwise, dtype=np.float64), where=below > 0)


def _last(view: _View) -> Floats:
    recency = np.full(view.size, 1000.0)
    np.minimum.at(recency, view.visit_member, view.visit_age.astype(np.float64))
    return recency


def _frequency(view: _View) -> dict[str, Floats]:
    columns = {f"visits_{days}": view.visits(days) for days in (7, 14, 30, 60, 90)}
    columns["recency_days"] = _last(view)
    columns["visits_180_rate"] = view.visits(180) / view.months(180)
    columns["orders_90"] = view.within(view.history.orders, view.order_age, 90)
    for half in (7, 20, 60):
        columns[f"ew_visits_{half}"] = view.count(view.visit_member, 0.5 ** (view.visit_age / half))
    for weeks in (4, 13, 26):
        chosen = view.visit_age <= weeks * 7
        columns[f"weeks_active_{weeks}"] = view.distinct(view.visit_member[chosen], (view.visit_age[chosen] - 1) // 7)
    known_weeks = min(26, -(-view.known_days // 7))
    columns["weeks_active_26_share"] = columns.pop("weeks_active_26") / known_weeks
    columns["trend_visits_30_90"] = ratio(columns["visits_30"] * 3, columns["visits_90"])
    before = view.visits(180, newest=91) * (90.0 / max(min(180, view.known_days) - 90, 1))
    columns["trend_visits_90_180"] = (columns["visits_90"] + 1) / (before + 1)
    return columns


def _rhythm(view: _View) -> dict[str, Floats]:
    """Gaps are the days between one shopping day and the next; members with a single one get the time known."""
    recency, tenure = _last(view), view.count(view.visit_member) * 0
    np.maximum.at(tenure, view.visit_member, view.visit_age.astype(np.float64))
    follows = np.flatnonzero(np.diff(view.visit_member) == 0)
    member = view.visit_member[follows]
    gap = (view.visit_age[follows] - view.visit_age[follows + 1]).astype(np.float64)
    ended = view.visit_age[follows + 1]
    gaps = view.count(member)
    lone = np.maximum(tenure, 30.0)
    mean = np.where(gaps > 0, ratio(view.count(member, gap), gaps), lone)
    spread = ratio(view.count(member, (gap - mean[member]) ** 2), gaps)
    weight = 0.5 ** (ended / 60.0)
    weighted = ratio(view.count(member, weight * gap), view.count(member, weight))
    last, longest_180, longest_90 = np.array(lone), np.array(recency), np.array(recency)
    last[member] = gap  # rows are by day: the newest stays
    np.maximum.at(longest_180, member[ended <= 180], gap[ended <= 180])
    np.maximum.at(longest_90, member[ended <= 90], np.minimum(gap, 91 - ended)[ended <= 90])
    order = np.lexsort((gap, member))
    starts = np.concatenate(([0], np.cumsum(gaps)[:-1])).astype(np.int64)
    has = np.flatnonzero(gaps > 0)
    median = np.array(lone)
    median[has] = gap[order][starts[has] + ((gaps[has] - 1) // 2).astype(np.int64)]
    ew_gap = np.where(gaps > 0, weighted, lone)
    silent = view.count(member, np.maximum(gap - 30, 0)) + np.maximum(recency - 30, 0)
    return {
        "gap_mean": mean, "gap_std": np.sqrt(spread), "gap_median": median, "gap_last": last,
        "gap_max_180": longest_180,
        "gap_ew": ew_gap, "gap_variation": ratio(np.sqrt(spread), mean), "tenure_days": tenure,
        "recency_to_gap": ratio(recency, mean), "recency_to_ew_gap": ratio(recency, ew_gap),
        "recency_to_max_gap": ratio(recency, longest_180),
        "longer_gaps_share": ratio(view.count(member[gap >= recency[member]]), gaps, 0.5),
        "longest_silence_90": longest_90, "silences_30": ratio(silent, np.maximum(tenure, 1.0)),
    }  # fmt: skip


def _money(view: _View) -> dict[str, Floats]:
    orders, age = view.history.orders, view.order_age
    spend = {days: view.spend(days) for days in (30, 90, 180)}
    counted = {days: view.within(orders, age, days) for days in (30, 90, 180)}
    ever = view.count(orders["member"])
    mean = ratio(view.count(orders["member"], orders["cents"]) / 100.0, ever)
    recency = _last(view)
    newest = age == recency[orders["member"]]
    last = view.count(orders["member"][newest], orders["cents"][newest]) / 100.0
    largest = np.zeros(view.size)
    np.maximum.at(largest, orders["member"][age <= 90], orders["cents"][age <= 90] / 100.0)
    before = view.spend(180, newest=91) * (90.0 / max(min(180, view.known_days) - 90, 1))
    return {
        "spend_30": spend[30], "spend_90": spend[90], "spend_180_rate": spend[180] / view.months(180),
        "basket_90": ratio(spend[90], counted[90]), "basket_ever": mean, "basket_last": last,
        "basket_last_ratio": ratio(last, mean), "basket_max_90": largest,
        "trend_spend_30_90": ratio(spend[30] * 3, spend[90]),
        "trend_spend_90_180": (np.maximum(spend[90], 0) + 10) / (np.maximum(before, 0) + 10),
        "trend_basket": ratio(ratio(spend[30], counted[30]), ratio(spend[180], counted[180])),
    }  # fmt: skip


def _breadth(view: _View) -> dict[str, Floats]:
    baskets, age = view.history.baskets, view.basket_age
    width = max(len(view.history.categories), 1)
    pairs = baskets["member"] * width + baskets["category"]
    named, position = np.unique(np.array(view.history.departments, dtype=str), return_inverse=True)
    department = position.astype(np.int64) if named.size else np.zeros(1, dtype=np.int64)
    within = {days: age <= days for days in (30, 90)}
    counts = {days: view.count(np.unique(pairs[chosen]) // width) for days, chosen in within.items()}
    ever, first = np.unique(pairs, return_index=True)  # rows are by time: the first is the oldest
    fresh = ever[age[first] <= 60]
    orders = view.within(view.history.orders, view.order_age, 90)
    return {
        "categories_30": counts[30], "categories_90": counts[90], "categories_ever": view.count(ever // width),
        "new_categories_60": view.count(fresh // width),
        "categories_per_visit": ratio(view.within(baskets, age, 90), orders),
        "departments_90": view.distinct(baskets["member"][within[90]], department[baskets["category"][within[90]]]),
        "lines_per_order_90": ratio(view.within(baskets, age, 90, "lines"), orders),
        "trend_breadth": ratio(counts[30], counts[90]),
    }  # fmt: skip


def _baby(view: _View) -> dict[str, Floats]:
    baskets, age = view.history.baskets, view.basket_age
    total = view.within(baskets, age, 180, "cents")
    columns = {}
    for code, name in enumerate(BABY_CLASSES[1:], start=1):
        chosen = (baskets["baby"] == code) & (age <= 180)
        columns[f"share_{name.lower()}_180"] = ratio(
            view.count(baskets["member"][chosen], baskets["cents"][chosen]), total
        )
    for_baby = baskets["baby"] > 0
    recency = np.full(view.size, 400.0)
    np.minimum.at(recency, baskets["member"][for_baby], age[for_baby].astype(np.float64))
    spent = {
        days: view.count(baskets["member"][for_baby & (age <= days)], baskets["cents"][for_baby & (age <= days)])
        for days in (60, 180)
    }
    return columns | {"baby_recency": recency, "baby_trend": ratio(spent[60] * 3, spent[180])}


def _habits(view: _View) -> dict[str, Floats]:
    orders, baskets = view.history.orders, view.history.baskets
    recent = view.order_age <= 180
    member, at_s, store = orders["member"][recent], orders["at_s"][recent], orders["store"][recent]
    counted = view.count(member)
    weekday = (at_s // DAY_SECONDS + 3) % 7  # 1970-01-01 was a Thursday; 0 = Monday
    by_weekday = np.bincount(member * 7 + weekday, minlength=view.size * 7).reshape(view.size, 7).astype(np.float64)
    shelves = int(store.max(initial=0)) + 1
    pairs, visits = np.unique(member * shelves + store, return_counts=True)
    main = np.zeros(view.size)
    np.maximum.at(main, pairs // shelves, visits.astype(np.float64))
    columns = {
        "channels_180": view.distinct(member, orders["channel"][recent]),
        "share_store_channel": ratio(view.count(member[orders["channel"][recent] == 1]), counted),
        "stores_180": view.distinct(member, store), "main_store_share": ratio(main, counted),
        "weekend_share": ratio(view.count(member[weekday >= 5]), counted),
        "evening_share": ratio(view.count(member[at_s % DAY_SECONDS >= 18 * 3600]), counted),
        "weekday_spread": ratio(counted**2, (by_weekday**2).sum(axis=1)),
        "returns_180": view.within(view.history.returns, view.return_age, 180),
        "returned_share_180": ratio(
            view.within(view.history.returns, view.return_age, 180, "cents"),
            view.within(orders, view.order_age, 180, "cents"),
        ),
    }  # fmt: skip
    for days in (90, 180):
        off = view.within(baskets, view.basket_age, days, "discount_cents")
        columns[f"discount_share_{days}"] = ratio(off, off + view.within(baskets, view.basket_age, days, "cents"))
    return columns
