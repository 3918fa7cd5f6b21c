"""Call briefs: what a call of the care run carries along: the facts behind it, what may and what must not be said."""

import tomllib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.care.callbacks import CallbackKind
from domain.commerce.products import FormulaClass
from domain.outreach.call_reasons import REASON_CODES
from domain.outreach.intents import CallBrief
from domain.outreach.law.packs import binding_formula_rule

FILE = Path(__file__).parent / "talking_points.toml"


def call_brief(
    kind: CallbackKind, facts: dict[str, Any], value: float, jurisdiction: str, ages_months: Sequence[int | None]
) -> CallBrief:
    """The brief of a call; `facts` are the values that the care run's statement found, dates as dates.

    `domain/outreach/call_reasons.py` says them in words whenever the task is read.
    """
    return CallBrief(
        kind=kind,
        reason_code=REASON_CODES[kind],
        reason=facts,
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
