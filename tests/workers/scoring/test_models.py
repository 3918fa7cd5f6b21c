"""The models: believable, at chance on shuffled labels, the same on any number of threads, never at a loss."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from workers.scoring import churn, cross_sell, judging
from workers.scoring.calibration import Calibration
from workers.scoring.frames import active
from workers.scoring.history import History, Table
from workers.scoring.learners import Forest, read
from workers.scoring.trained import Trained

AS_OF = date(2017, 12, 1)
NEVER = {
    "BEERS/ALES", "DOMESTIC WINE", "IMPORTED WINE", "MISC WINE", "LIQUOR", "CIGARETTES", "CIGARS", "TOBACCO OTHER",
    "SMOKING CESSATIONS",
}  # fmt: skip


def quiet(_: str) -> None: ...


def test_churn_is_judged_beside_its_baselines_and_not_too_good_to_be_true(leaving: Trained) -> None:
    judged = leaving.judgement
    assert judged is not None
    assert judged.cut_off == AS_OF - timedelta(days=30)
    assert list(judged.figures) == ["recency", "rfm_logistic", "lightgbm"]
    found = judged.figures["lightgbm"]
    assert 0.7 < found["auc"].value < 0.95  # near .95 and beyond something leaks
    assert found["auc"].low < found["auc"].value < found["auc"].high
    assert found["ece"].value < 0.1
    assert max(leaving.cut_offs) == judged.cut_off
    assert leaving.learner.family == ("lightgbm" if judged.is_better else "rfm_logistic")


def test_everyone_active_in_the_last_90_days_has_a_churn_score(leaving: Trained, history: History) -> None:
    scored = churn.score(leaving, history)
    assert scored.members.tolist() == active(history).tolist()
    assert ((scored.probability > 0) & (scored.probability < 1)).all()


def test_what_is_told_and_read_back_predicts_the_same(leaving: Trained, history: History) -> None:
    rows = churn.score(leaving, history).rows
    for family in ("lightgbm", "rfm_logistic", "base_rate"):
        learner = churn._fit(family, churn._labelled(history, AS_OF - timedelta(days=30)), 2)
        assert (read(family, learner.text()).predict(rows) == learner.predict(rows)).all()


def test_shuffled_labels_teach_nothing(history: History) -> None:
    days = [AS_OF - timedelta(days=30 * n) for n in range(1, 5)]
    (rows, labels), *earlier = (churn._labelled(history, day) for day in days)
    known, answers = churn._stack(earlier)
    once = np.ones(labels.size)
    real = Forest.train(known, answers, churn.PARAMS, 60).predict(rows)
    assert judging.roc_auc(real, labels, once) > 0.7
    drawn = np.random.default_rng(11)
    chance = [
        judging.roc_auc(Forest.train(known, drawn.permutation(answers), churn.PARAMS, 60).predict(rows), labels, once)
        for _ in range(12)
    ]
    assert 0.45 < np.mean(chance) < 0.55


def test_one_thread_and_two_give_the_same_model(history: History) -> None:
    known = churn._labelled(history, AS_OF - timedelta(days=30))
    one, two = (Forest.train(*known, churn.PARAMS, 40, threads=threads).text() for threads in (1, 2))
    assert one == two


def test_cross_sell_offers_only_what_she_never_bought(history: History) -> None:
    cut_off = AS_OF - timedelta(days=30)
    labelled = cross_sell._labelled(history, cut_off)
    pairs = set(zip(labelled.pairs.member.tolist(), labelled.pairs.category.tolist(), strict=True))
    before = history.before(cut_off).baskets
    bought = set(zip(before["member"].tolist(), before["category"].tolist(), strict=True))
    assert pairs
    assert not pairs & bought
    after = history.between(history.baskets, cut_off, AS_OF)
    fresh = set(zip(after["member"].tolist(), after["category"].tolist(), strict=True)) - bought
    yes = labelled.labels > 0
    positive = set(zip(labelled.pairs.member[yes].tolist(), labelled.pairs.category[yes].tolist(), strict=True))
    assert positive == fresh & pairs
    named = {pair for pair in fresh if history.categories[pair[1]] not in NEVER | {"UNKNOWN"}}
    assert len(named) < len(fresh), "beer is bought, and is nothing to find"
    assert labelled.positives.sum() == len({pair for pair in named if pair[0] in set(labelled.members.tolist())})


def test_ranking_figures_are_what_a_hand_would_find() -> None:
    members = np.array([0, 0, 0, 1, 1, 2])
    scores = np.array([0.9, 0.5, 0.1, 0.2, 0.8, 0.3])
    labels = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    found = judging.rank(scores, labels, members, np.array([2.0, 1.0, 0.0]), top=2)
    assert found.recall.tolist() == [0.5, 1.0]
    assert found.ndcg == pytest.approx([(1 / np.log2(3)) / (1 + 1 / np.log2(3)), 1.0])
    once = np.ones(4)
    truth, said = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])
    assert judging.roc_auc(said, truth, once) == 0.75
    assert judging.average_precision(said, truth, once) == pytest.approx(5 / 6)
    assert judging.roc_auc(np.zeros(4), truth, once) == 0.5


def test_calibration_mends_probabilities_and_keeps_the_order() -> None:
    drawn = np.random.default_rng(3)
    raw = drawn.random(200_000)
    labels = (drawn.random(200_000) < raw**2).astype(np.float64)
    fitted = Calibration.fit(raw, labels)
    told = Calibration.from_json(fitted.to_json()).apply(raw)
    once = np.ones(raw.size)
    assert judging.calibration_error(told, labels, once) < 0.02 < judging.calibration_error(raw, labels, once)
    assert judging.roc_auc(told, labels, once) == pytest.approx(judging.roc_auc(raw, labels, once), abs=1e-4)
    assert Calibration.fit(raw[:40], labels[:40]).apply(raw).tolist() == raw.tolist()


@pytest.mark.parametrize(
    ("members", "days", "family"), [(120, 100, "rfm_logistic"), (6, 300, ""), (120, 25, "base_rate")]
)
def test_thin_data_gets_a_simpler_model_that_says_so(history: History, members: int, days: int, family: str) -> None:
    """Few members or a short history: some model comes back, and every score is a probability."""
    first = (AS_OF - date(1970, 1, 1)).days - days

    def thin(table: Table) -> Table:
        kept = (table["at_s"] >= first * 86_400) & (table["member"] < members)
        return {name: values[kept] for name, values in table.items()}

    few = replace(history, orders=thin(history.orders), baskets=thin(history.baskets), returns=thin(history.returns))
    trained = churn.train(few, quiet)
    assert trained.learner.family == (family or trained.learner.family) != "lightgbm"
    assert trained.why
    assert trained.metrics()["why"] == trained.why
    scored = churn.score(trained, few)
    assert ((scored.probability >= 0) & (scored.probability <= 1)).all()
    assert cross_sell.train(few, quiet).learner.family in ("popularity", "base_rate")


def test_with_nothing_known_there_are_no_scores(history: History) -> None:
    nothing = history.before(date(2017, 1, 1))
    assert not nothing.orders["at_s"].size
    assert churn.score(churn.train(nothing, quiet), nothing).members.size == 0
    assert cross_sell.train(nothing, quiet).learner.family == "base_rate"
