"""Call reasons: why a member is called, in words. A task stores facts and dates; ages are counted when it is read.

So a list that waited for days, or a call that somebody held meanwhile, never says how long ago it was on another day.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from domain.care.callbacks import CallbackKind
from domain.insight.reasons import FOR, grown, say_all
from domain.outreach.shelves import shelf_label
from domain.stages.wording import is_chinese

REASON_CODES = {
    CallbackKind.WIN_BACK: "CHURN_RISK",
    CallbackKind.NEW_CUSTOMER_RETURN: "FIRST_PURCHASE",
    CallbackKind.CAN_FINISH: "RUNNING_LOW",
    CallbackKind.STAGE_SWITCH: "NEW_FEEDING_STAGE",
}
PROMISED = "PROMISED_CALL"
LOUDEST = 2  # facts of a score that a reason repeats

Facts = Mapping[str, Any]
Pair = tuple[str, str]


def say_why(code: str, facts: Facts, language: str, today: date, bought_at: datetime | None = None) -> str:
    """Why she is called, as it stands on the business day `today`; `bought_at` is her last purchase until now.

    A purchase that the list did not know of is told, because it may answer the call. Facts without dates are somebody's
    own words (`{"en": ..., "zh-Hans": ...}`) and are said as they are; without any the code is all there is.
    """
    chinese = is_chinese(language)
    if code == PROMISED:
        code = str(facts.get("about", ""))
        about = "" if code == PROMISED else say_why(code, facts, language, today, bought_at)
        about = "" if about == code else about  # a code is no sentence
        promised = facts.get("promise")
        if promised:
            return f"已答应她：“{promised}”。{about}" if chinese else f"You promised her: “{promised}”. {about}".strip()
        return "约好现在给她回电。" + about if chinese else f"You promised to call her now. {about}".strip()
    words = SENTENCES.get(code)
    if words is None or "known_at" not in facts:
        return str(facts.get(language) or facts.get("en") or code)
    return words(facts, today, _bought_since(facts, bought_at))[chinese]


def _bought_since(facts: Facts, bought_at: datetime | None) -> date | None:
    is_news = bought_at is not None and bought_at > datetime.fromisoformat(facts["known_at"])
    return bought_at.date() if bought_at is not None and is_news else None


def _days(facts: Facts, name: str, today: date) -> Pair:
    days = max(0, (today - date.fromisoformat(facts[name])).days)
    return f"{days} day{'' if days == 1 else 's'} ago", f"{days}天前"


def _news(bought_on: date | None) -> Pair:
    return (f" Has shopped again since: {bought_on}.", f"之后又于{bought_on}购物。") if bought_on else ("", "")


def _win_back(facts: Facts, today: date, bought_on: date | None) -> Pair:
    """The risk, and the facts that speak loudest for it; the bare dates where the model gave no reasons."""
    risk, scored_on = round(float(facts["probability"]) * 100), date.fromisoformat(facts["scored_on"])
    ahead = "the next 30 days" if scored_on >= today else f"the 30 days from {scored_on}"
    ahead_zh = "未来30天" if scored_on >= today else f"自{scored_on}起30天内"
    told = _news(bought_on) if bought_on else _loudest(facts, scored_on, today)
    return (
        f"May stop coming: {risk}% risk of no purchase in {ahead}. {told[0].strip()}",
        f"有流失风险：{ahead_zh}不再购买的可能性为{risk}%。{told[1]}",
    )


def _loudest(facts: Facts, scored_on: date, today: date) -> Pair:
    """What ages is counted to today; what was counted over a window carries the day on which it was."""
    reasons = [reason for reason in facts["score_reasons"] if reason.get("effect") == FOR][:LOUDEST]
    told = _told(reasons, "en", scored_on, today), _told(reasons, "zh-Hans", scored_on, today)
    if told[0]:
        return " ".join(told[0]), "".join(told[1])
    (ago, ago_zh), orders = _days(facts, "last_on", today), facts["orders_90_days"]
    return (
        f"Last purchase {ago}, {orders} in the 90 days before {scored_on}.",
        f"上次购买在{ago_zh}，{scored_on}前90天购买{orders}次。",
    )


def _told(reasons: Sequence[Facts], language: str, scored_on: date, today: date) -> list[str]:
    when = f"截至{scored_on}：" if is_chinese(language) else f"On {scored_on}: "
    found: list[str] = []
    for reason in reasons:
        aged = grown(reason, (today - scored_on).days)
        said = say_all([aged or reason], language)
        found += said if aged else [f"{when}{sentence[0].lower()}{sentence[1:]}" for sentence in said]
    return found


def _first_return(facts: Facts, today: date, bought_on: date | None) -> Pair:
    """Without the shelf where the law knows it: then the care run gives none."""
    (ago, ago_zh), category = _days(facts, "first_on", today), facts["category"]
    mostly = f", mostly {shelf_label(category, 'en')}" if category else ""
    mostly_zh = f"（主要是{shelf_label(category, 'zh')}）" if category else ""
    news = _news(bought_on)
    return (
        f"New customer: the first purchase was {ago}{mostly}{'.' if bought_on else '; not back yet.'}{news[0]}",
        f"新客：{ago_zh}首次购买{mostly_zh}{'。' if bought_on else '，尚未复购。'}{news[1]}",
    )


def _can_finish(facts: Facts, today: date, bought_on: date | None) -> Pair:
    category, gap, news = facts["category"], round(float(facts["usual_gap"])), _news(bought_on)
    ago, ago_zh = _days(facts, "last_on", today)
    return (
        f"Probably running low on {shelf_label(category, 'en')}: buys every {gap} days, last time {ago}.{news[0]}",
        f"{shelf_label(category, 'zh')}可能快用完：通常每{gap}天购买一次，上次在{ago_zh}。{news[1]}",
    )


def _stage_switch(facts: Facts, today: date, _bought_on: date | None) -> Pair:
    """A talk about the child and its feeding: no product and no stage of one."""
    name, months, on = facts["nickname"], facts["months"], facts["on"]
    is_past = date.fromisoformat(on) < today
    reaches = "reached" if is_past else "reaches"
    return (
        f"{name or 'The baby'} {reaches} {months} months on {on}: a new feeding stage, a time of questions.",
        f"{name or '宝宝'}{'已' if is_past else '将'}于{on}满{months}个月，进入新的喂养阶段，正是有疑问的时候。",
    )


SENTENCES: dict[str, Callable[[Facts, date, date | None], Pair]] = {
    REASON_CODES[CallbackKind.WIN_BACK]: _win_back,
    REASON_CODES[CallbackKind.NEW_CUSTOMER_RETURN]: _first_return,
    REASON_CODES[CallbackKind.CAN_FINISH]: _can_finish,
    REASON_CODES[CallbackKind.STAGE_SWITCH]: _stage_switch,
}
