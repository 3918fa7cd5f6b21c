"""Call briefs: why a member is called, in words of both languages, and what may and must not be said."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.care.callbacks import CallbackKind
from domain.commerce.products import FormulaClass
from domain.insight.reasons import FOR, say_all
from domain.outreach.intents import CallBrief
from domain.outreach.law.packs import binding_formula_rule
from domain.outreach.shelves import shelf_label

FILE = Path(__file__).parent / "talking_points.toml"
REASON_CODES = {
    CallbackKind.WIN_BACK: "CHURN_RISK",
    CallbackKind.NEW_CUSTOMER_RETURN: "FIRST_PURCHASE",
    CallbackKind.CAN_FINISH: "RUNNING_LOW",
    CallbackKind.STAGE_SWITCH: "NEW_FEEDING_STAGE",
}


def call_brief(
    kind: CallbackKind, facts: dict[str, Any], value: float, jurisdiction: str, ages_months: Sequence[int | None]
) -> CallBrief:
    """The brief of a call that the care run chose; `facts` are the values that its statement found."""
    words = {
        CallbackKind.WIN_BACK: _win_back,
        CallbackKind.NEW_CUSTOMER_RETURN: _first_return,
        CallbackKind.CAN_FINISH: _can_finish,
        CallbackKind.STAGE_SWITCH: _stage_switch,
    }[kind](facts)
    return CallBrief(
        kind=kind,
        reason_code=REASON_CODES[kind],
        reason={"en": words[0], "zh-Hans": words[1], **facts},
        talking_points=talking_points(kind, jurisdiction, ages_months),
        priority=value,
    )


def talking_points(kind: CallbackKind, jurisdiction: str, ages_months: Sequence[int | None]) -> list[dict[str, Any]]:
    """What to say, to ask and not to say; where formula law binds this household the rule is named.

    Households that name no child are treated by that rule like those with the youngest.
    """
    rule = binding_formula_rule(jurisdiction, FormulaClass.FOLLOW_ON, ages_months)
    points = []
    for point in _points():
        if kind.value not in point["kinds"] or (point.get("binds") and rule is None):
            continue
        said = {name: point[name] for name in ("kind", "code", "en", "zh-Hans")}
        points.append({**said, "rule": rule.id} if point.get("binds") and rule else said)
    return points


@lru_cache(maxsize=1)
def _points() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(FILE.read_text("utf-8"))["point"]
    return found


def _win_back(facts: dict[str, Any]) -> tuple[str, str]:
    """The risk, and the two facts that speak loudest for it; the bare dates where the model gave no reasons."""
    risk, days, orders = round(float(facts["probability"]) * 100), facts["days_since"], facts["orders_90_days"]
    loudest = [reason for reason in facts["score_reasons"] if reason.get("effect") == FOR][:2]
    told = " ".join(say_all(loudest, "en")) or f"Last purchase {days} days ago, {orders} in the last 90 days."
    told_zh = "".join(say_all(loudest, "zh")) or f"上次购买在{days}天前，近90天购买{orders}次。"
    return (
        f"May stop coming: {risk}% risk of no purchase in the next 30 days. {told}",
        f"有流失风险：未来30天不再购买的可能性为{risk}%。{told_zh}",
    )


def _first_return(facts: dict[str, Any]) -> tuple[str, str]:
    """Without the shelf where the law knows it: then the care run gives none."""
    days, category = facts["days_since"], facts["category"]
    mostly = f", mostly {shelf_label(category, 'en')}" if category else ""
    mostly_zh = f"（主要是{shelf_label(category, 'zh')}）" if category else ""
    return (
        f"New customer: the first purchase was {days} days ago{mostly}; not back yet.",
        f"新客：{days}天前首次购买{mostly_zh}，尚未复购。",
    )


def _can_finish(facts: dict[str, Any]) -> tuple[str, str]:
    category, gap, days = facts["category"], round(float(facts["usual_gap"])), facts["days_since"]
    return (
        f"Probably running low on {shelf_label(category, 'en')}: buys every {gap} days, last time {days} days ago.",
        f"{shelf_label(category, 'zh')}可能快用完：通常每{gap}天购买一次，上次在{days}天前。",
    )


def _stage_switch(facts: dict[str, Any]) -> tuple[str, str]:
    """A talk about the child and its feeding: no product and no stage of one."""
    name, months, on = facts["nickname"], facts["months"], facts["on"]
    return (
        f"{name or 'The baby'} reaches {months} months on {on}: a new feeding stage, a time of questions.",
        f"{name or '宝宝'}将于{on}满{months}个月，进入新的喂养阶段，正是有疑问的时候。",
    )
