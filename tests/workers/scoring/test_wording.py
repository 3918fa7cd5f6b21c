"""Reasons say what is so: nothing of a rhythm to whoever came once, nothing of shelves to whoever took no goods."""

import json
from dataclasses import replace
from datetime import date

from workers.scoring import churn
from workers.scoring.history import History
from workers.scoring.trained import Trained
from workers.scoring.wording import churn_reasons


def codes(said: str) -> set[str]:
    return {reason["code"] for reason in json.loads(said)}


def test_visits_for_fuel_and_coupons_alone_are_no_word_about_categories(leaving: Trained, history: History) -> None:
    scored = churn.score(leaving, history)
    assert any("BREADTH" in codes(said) for said in churn_reasons(leaving.learner, scored))

    nothing = {column: values[:0] for column, values in history.baskets.items()}
    without_goods = churn.score(leaving, replace(history, baskets=nothing))
    told = churn_reasons(leaving.learner, without_goods)
    assert (without_goods.rows["visits_90"] > 0).all()
    assert all(codes(said) and "BREADTH" not in codes(said) for said in told)


def test_who_came_once_has_no_rhythm_to_speak_of(leaving: Trained, history: History) -> None:
    early = history.before(date(2017, 1, 25))
    scored = churn.score(leaving, early)
    told = churn_reasons(leaving.learner, scored)
    came_once = (scored.rows["tenure_days"] == scored.rows["recency_days"]).tolist()
    assert sum(came_once) > 5
    for said, once in zip(told, came_once, strict=True):
        if once:
            assert codes(said)
            assert not codes(said) & {"OVERDUE", "RHYTHM"}
    assert any("OVERDUE" in codes(said) for said in told)
