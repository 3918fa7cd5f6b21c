"""Call reasons as they are read: ages move with the calendar, windows carry their day, a new purchase is told."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.outreach.call_reasons import PROMISED, SENTENCES, say_why
from tests.factories import NOON

TODAY = NOON.date()
OVERDUE = {"code": "OVERDUE", "effect": "RAISES", "values": {"days": 67.0, "usual": 23}}
VISITS = {"code": "FREQUENCY", "effect": "RAISES", "values": {"visits": 1.0}}
AT_RISK = {
    "known_at": NOON.isoformat(), "scored_on": TODAY.isoformat(), "last_on": "2017-10-09", "probability": 0.48,
    "orders_90_days": 1, "score_reasons": [OVERDUE, VISITS],
}  # fmt: skip
FACTS: dict[str, dict[str, Any]] = {
    "CHURN_RISK": AT_RISK,
    "FIRST_PURCHASE": {"known_at": NOON.isoformat(), "first_on": "2017-12-08", "category": "DIAPERS & DISPOSABLES"},
    "RUNNING_LOW": {
        "known_at": NOON.isoformat(), "last_on": "2017-11-29", "category": "DIAPERS & DISPOSABLES", "usual_gap": 17,
    },
    "NEW_FEEDING_STAGE": {"known_at": NOON.isoformat(), "nickname": "Mia", "months": 6, "on": "2017-12-18"},
}  # fmt: skip


def said(code: str, days_later: int, language: str = "en", bought_at: datetime | None = None) -> str:
    return say_why(code, FACTS[code], language, TODAY + timedelta(days=days_later), bought_at)


def test_ages_are_counted_on_the_day_on_which_they_are_read() -> None:
    assert said("CHURN_RISK", 0) == (
        "May stop coming: 48% risk of no purchase in the next 30 days. "
        "Last bought 67 days ago; usually buys about every 23 days. Shopped on only 1 day of the last 90."
    )
    assert said("CHURN_RISK", 7) == (
        "May stop coming: 48% risk of no purchase in the 30 days from 2017-12-15. "
        "Last bought 74 days ago; usually buys about every 23 days. "
        "On 2017-12-15: shopped on only 1 day of the last 90."
    )
    assert "在74天前" in said("CHURN_RISK", 7, "zh-Hans")
    assert "截至2017-12-15：近90天只有1天购物。" in said("CHURN_RISK", 7, "zh-Hans")
    assert "was 14 days ago" in said("FIRST_PURCHASE", 7)
    assert "23天前" in said("RUNNING_LOW", 7, "zh-Hans")
    assert "reaches 6 months on 2017-12-18" in said("NEW_FEEDING_STAGE", 3)
    assert "reached 6 months on 2017-12-18" in said("NEW_FEEDING_STAGE", 4)


def test_a_purchase_that_the_list_did_not_know_of_is_told() -> None:
    monday = NOON + timedelta(days=3)
    for code in ("CHURN_RISK", "FIRST_PURCHASE", "RUNNING_LOW"):
        assert said(code, 7, bought_at=monday).endswith("Has shopped again since: 2017-12-18.")
        assert said(code, 7, "zh-Hans", monday).endswith("之后又于2017-12-18购物。")
        assert "again since" not in said(code, 7, bought_at=NOON - timedelta(hours=1))
    assert "not back yet" not in said("FIRST_PURCHASE", 7, bought_at=monday)
    assert "Last bought" not in said("CHURN_RISK", 7, bought_at=monday)


def test_a_promise_says_what_it_was_about_as_it_stands_now() -> None:
    promise = {**AT_RISK, "about": "CHURN_RISK"}
    assert say_why(PROMISED, promise, "en", TODAY).startswith("You promised to call her now. May stop coming: 48%")
    own_words = {"en": "She asked for a quiet pump.", "zh-Hans": "她想要静音吸奶器。", "about": "ASKED"}
    assert say_why(PROMISED, own_words, "en", TODAY) == "You promised to call her now. She asked for a quiet pump."
    assert say_why(PROMISED, {"about": PROMISED}, "zh-Hans", TODAY) == "约好现在给她回电。"


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_reason_is_a_sentence_in_both_languages_on_any_day(code: str) -> None:
    for days_later in (0, 1, 400):
        assert said(code, days_later).endswith(".")
        assert said(code, days_later).isascii()
        assert said(code, days_later, "zh-Hans").endswith("。")
