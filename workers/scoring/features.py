"""The features of a member as of a cut-off, declared in one place with what they mean; `frames` makes them."""

import hashlib
from dataclasses import dataclass

from workers.scoring.history import BABY_CLASSES


@dataclass(frozen=True, slots=True)
class Feature:
    """What a column means. `reason` is the word under which `domain.insight.reasons` speaks of it."""

    name: str
    reason: str
    unit: str
    description: str


DECLARED = [
    Feature("recency_days", "OVERDUE", "days", "since the last purchase"),
    Feature("recency_to_gap", "OVERDUE", "ratio", "recency to her mean gap between shopping days"),
    Feature("recency_to_ew_gap", "OVERDUE", "ratio", "recency to her recent (exponentially weighted) gap"),
    Feature("recency_to_max_gap", "OVERDUE", "ratio", "recency to her longest gap of the last 180 days"),
    Feature("longer_gaps_share", "OVERDUE", "share", "of her gaps that were longer than the present one"),
    *(
        Feature(f"visits_{days}", "FREQUENCY", "days", f"with a purchase in the last {days}")
        for days in (7, 14, 30, 60)
    ),
    Feature("visits_90", "FREQUENCY", "days", "with a purchase in the last 90"),
    Feature(
        "visits_180_rate", "FREQUENCY", "days a month", "with a purchase over the last 180, or what is known of them"
    ),
    Feature("orders_90", "FREQUENCY", "orders", "in the last 90 days"),
    *(
        Feature(f"ew_visits_{half}", "FREQUENCY", "days", f"with a purchase, halved in weight every {half} days of age")
        for half in (7, 20, 60)
    ),
    Feature("weeks_active_4", "FREQUENCY", "weeks", "of the last 4 with a purchase"),
    Feature("weeks_active_13", "FREQUENCY", "weeks", "of the last 13 with a purchase"),
    Feature("weeks_active_26_share", "FREQUENCY", "share", "of the last 26 weeks, or what is known, with a purchase"),
    Feature("longest_silence_90", "RHYTHM", "days", "longest time without a purchase in the last 90 days"),
    Feature("silences_30", "RHYTHM", "share", "of the days known on which 30 days without a purchase began"),
    Feature("gap_mean", "RHYTHM", "days", "between her shopping days, on average"),
    Feature("gap_std", "RHYTHM", "days", "standard deviation of her gaps"),
    Feature("gap_median", "RHYTHM", "days", "median gap"),
    Feature("gap_ew", "RHYTHM", "days", "gap, recent ones weighing more (half-life 60 days)"),
    Feature("gap_last", "RHYTHM", "days", "her last gap"),
    Feature("gap_max_180", "RHYTHM", "days", "her longest gap of the last 180 days"),
    Feature("gap_variation", "RHYTHM", "ratio", "standard deviation to mean of her gaps"),
    Feature("trend_visits_30_90", "TREND", "ratio", "visits of the last 30 days to a third of the last 90"),
    Feature("trend_visits_90_180", "TREND", "ratio", "visits of the last 90 days to the 90 before"),
    Feature("trend_spend_30_90", "TREND", "ratio", "spend of the last 30 days to a third of the last 90"),
    Feature("trend_spend_90_180", "TREND", "ratio", "spend of the last 90 days to the 90 before"),
    Feature("trend_basket", "TREND", "ratio", "mean order of the last 30 days to that of the last 180"),
    Feature("trend_breadth", "TREND", "ratio", "categories of the last 30 days to those of the last 90"),
    Feature("spend_30", "MONETARY", "money", "spent in the last 30 days, returns taken off"),
    Feature("spend_90", "MONETARY", "money", "spent in the last 90 days, returns taken off"),
    Feature("spend_180_rate", "MONETARY", "money a month", "spent over the last 180 days, or what is known of them"),
    Feature("basket_90", "MONETARY", "money", "mean order of the last 90 days"),
    Feature("basket_ever", "MONETARY", "money", "mean order since the first"),
    Feature("basket_last", "MONETARY", "money", "spent on her last shopping day"),
    Feature("basket_last_ratio", "MONETARY", "ratio", "her last shopping day's spend to her mean order"),
    Feature("basket_max_90", "MONETARY", "money", "largest order of the last 90 days"),
    Feature("categories_30", "BREADTH", "categories", "bought in the last 30 days"),
    Feature("categories_90", "BREADTH", "categories", "bought in the last 90 days"),
    Feature("categories_ever", "BREADTH", "categories", "ever bought"),
    Feature("new_categories_60", "BREADTH", "categories", "first bought in the last 60 days"),
    Feature("categories_per_visit", "BREADTH", "categories", "per order of the last 90 days"),
    Feature("departments_90", "BREADTH", "departments", "bought from in the last 90 days"),
    Feature("lines_per_order_90", "BREADTH", "lines", "per order of the last 90 days"),
    *(
        Feature(f"share_{name.lower()}_180", "BABY", "share", f"of spend of the last 180 days on {name}")
        for name in BABY_CLASSES[1:]
    ),
    Feature("baby_recency", "BABY", "days", "since anything for a baby was bought; 400 when never"),
    Feature("baby_trend", "BABY", "ratio", "baby spend of the last 60 days to a third of the last 180"),
    Feature("tenure_days", "TENURE", "days", "since the first purchase"),
    Feature("channels_180", "CHANNEL", "channels", "bought through in the last 180 days"),
    Feature("share_store_channel", "CHANNEL", "share", "of orders of the last 180 days made at a till"),
    Feature("stores_180", "CHANNEL", "stores", "visited in the last 180 days"),
    Feature("main_store_share", "CHANNEL", "share", "of orders of the last 180 days in her most visited store"),
    Feature("discount_share_90", "DISCOUNT", "share", "of the price of the last 90 days that discounts took off"),
    Feature("discount_share_180", "DISCOUNT", "share", "of the price of the last 180 days that discounts took off"),
    Feature("weekend_share", "WEEKDAY", "share", "of orders of the last 180 days on Saturday or Sunday"),
    Feature("evening_share", "WEEKDAY", "share", "of orders of the last 180 days at or after 18:00"),
    Feature("weekday_spread", "WEEKDAY", "weekdays", "effective number of weekdays of her orders of the last 180 days"),
    Feature("returns_180", "RETURNS", "returns", "in the last 180 days"),
    Feature("returned_share_180", "RETURNS", "share", "of spend of the last 180 days that she brought back"),
]
NAMES = [feature.name for feature in DECLARED]
REASON_OF = {feature.name: feature.reason for feature in DECLARED}


def feature_hash(names: list[str] | None = None) -> str:
    """SHA-256 of the declaration: changes when a feature is added, dropped, renamed or said to mean something else."""
    chosen = DECLARED if names is None else [feature for feature in DECLARED if feature.name in names]
    lines = [f"{f.name}|{f.reason}|{f.unit}|{f.description}" for f in chosen] + [
        name for name in names or [] if name not in REASON_OF
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
