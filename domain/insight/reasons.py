"""Why a score is what it is, in words that a consultant can say aloud; English and 简体中文.

A reason is stored as {code, effect, values}: which fact, whether it speaks for or against, and the numbers in it. The
sentence says the fact and nothing that was not seen. What baskets hint about babies is never spoken of here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.outreach.shelves import shelf_label
from domain.stages.wording import is_chinese

FOR, AGAINST = "RAISES", "LOWERS"
"""The fact makes what the score speaks of (leaving; buying) more likely, or less."""

Sentences = tuple[str, str]

ANY = {
    "LAST_PURCHASE": ("Last bought {days:day} ago.", "最近一次购买在{days}天前。"),
    "DISCOUNT": (
        "Discounts took {percent}% off the price of the last 90 days.",
        "近90天的购买平均优惠{percent}%。",
    ),
    "CHANNEL": (
        "Shopped in {stores:store} in the last half year; {percent}% of orders in the main one.",
        "近半年在{stores}家门店购物，{percent}%在常去的那家。",
    ),
    "WEEKDAY": ("{percent}% of orders are made at weekends.", "{percent}%的订单在周末。"),
    "RETURNS": ("Brought {count:purchase} back in the last half year.", "近半年退货{count}次。"),
    "ALSO_BOUGHT": ("Families who buy {because} often buy {category} too.", "购买{because}的家庭也常买{category}。"),
    "POPULAR": ("{percent}% of families buy {category}.", "{percent}%的家庭购买过{category}。"),
    "TRIES_NEW": (
        "Tried {count:new category} in the last 60 days.",
        "近60天尝试了{count}个新品类。",
    ),
    "RISING": (
        "More families than usual are buying {category} for the first time now.",
        "最近首次购买{category}的家庭比平时多。",
    ),
}
EITHER: dict[str, tuple[Sentences, Sentences]] = {
    "OVERDUE": (
        (
            "Last bought {days:day} ago; usually buys about every {usual:day}.",
            "最近一次购买在{days}天前，平时大约每{usual}天购买一次。",
        ),
        (
            "Bought {days:day} ago, well within the usual rhythm of about {usual:day}.",
            "{days}天前刚购买过，仍在平时约{usual}天一次的节奏之内。",
        ),
    ),
    "FREQUENCY": (
        ("Shopped on only {visits:day} of the last 90.", "近90天只有{visits}天购物。"),
        ("Shopped on {visits:day} of the last 90.", "近90天有{visits}天购物。"),
    ),
    "RHYTHM": (
        ("Has stayed away before: up to {longest:day} in the last half year.", "近半年曾有{longest}天没有购买。"),
        (
            "Comes regularly: never more than {longest:day} apart in the last half year.",
            "来店规律：近半年两次购买最多相隔{longest}天。",
        ),
    ),
    "TREND": (
        (
            "Comes less often: {now:shopping day} in the last 30, {before} a month before.",
            "来得少了：近30天购物{now}天，此前每月{before}天。",
        ),
        (
            "Comes as often as before or more: {now:shopping day} in the last 30, {before} a month before.",
            "来得不比以前少：近30天购物{now}天，此前每月{before}天。",
        ),
    ),
    "MONETARY": (
        ("Spent {percent}% less in the last 30 days than in a usual month.", "近30天的消费比平时一个月少{percent}%。"),
        ("Spent at least as much in the last 30 days as in a usual month.", "近30天的消费不少于平时一个月。"),
    ),
    "BREADTH": (
        (
            "Buys few kinds of things: {categories:category} in the last 90 days.",
            "购买的品类少：近90天{categories}个品类。",
        ),
        (
            "Buys many kinds of things: {categories:category} in the last 90 days.",
            "购买的品类多：近90天{categories}个品类。",
        ),
    ),
    "TENURE": (
        ("Is new: first bought {days:day} ago.", "新客：首次购买在{days}天前。"),
        ("Has been buying for {months:month}.", "已持续购买{months}个月。"),
    ),
}
CODES = frozenset(ANY) | frozenset(EITHER)
AGEING = frozenset({"LAST_PURCHASE", "OVERDUE", "TENURE"})
"""Their `days` count up from a day that stands still."""
PLURALS = {"category": "categories", "new category": "new categories"}


def say(reason: Mapping[str, Any], language: str) -> str:
    """One stored reason as a sentence; empty for a code of another version, which is better not said than misquoted."""
    code, chinese = reason.get("code", ""), is_chinese(language)
    if code in EITHER:
        pair = EITHER[code][reason.get("effect") == AGAINST]
    elif code in ANY:
        pair = ANY[code]
    else:
        return ""
    values = {name: _worded(value, language) for name, value in reason.get("values", {}).items()}
    try:
        return pair[chinese].format(**values)
    except KeyError:
        return ""


def say_all(reasons: Iterable[Mapping[str, Any]], language: str) -> list[str]:
    """The sentences of a score, strongest reason first."""
    return [sentence for reason in reasons if (sentence := say(reason, language))]


def grown(reason: Mapping[str, Any], days: int) -> Mapping[str, Any] | None:
    """The reason as it reads so many days later when nothing was bought since; None when only counting again tells.

    A fact that speaks for leaving stays one as it ages; one that speaks against it may not.
    """
    if days <= 0:
        return reason
    is_ageing = reason.get("code") in AGEING and reason.get("effect") == FOR
    if not is_ageing:
        return None
    values = reason.get("values", {})
    return {**reason, "values": {**values, "days": float(values.get("days", 0)) + days}}


class _Count(float):
    """A number that a template gives its unit: {days:day} is `1 day`, `9 days`."""

    def __format__(self, unit: str) -> str:
        number = f"{float(self):.1f}".removesuffix(".0")
        if not unit:
            return number
        return f"{number} {unit if float(self) == 1 else PLURALS.get(unit, unit + 's')}"


def _worded(value: Any, language: str) -> Any:
    if isinstance(value, int | float):
        return _Count(value)
    if isinstance(value, list):
        names = [shelf_label(str(name), language) for name in value]
        return ("、" if is_chinese(language) else " and ").join(names)
    return shelf_label(str(value), language)
