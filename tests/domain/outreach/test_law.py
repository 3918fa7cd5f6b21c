"""Formula law, hours and wording by jurisdiction, as the packs say it."""

from datetime import time

import pytest
from hypothesis import strategies as st

from domain.commerce.products import FormulaClass
from domain.outreach.law.packs import binding_formula_rule, hours_for, opt_out_words, packs, packs_for, sms_signature
from domain.outreach.law.wording import advertises_formula
from domain.platform.sources import Channel, Purpose
from tests.properties import holds_for

EVERYWHERE = ["US", "CN", "GB", "DE", "PH", "BR", "??"]


@pytest.mark.parametrize("jurisdiction", EVERYWHERE)
@pytest.mark.parametrize("formula_class", [FormulaClass.INFANT_FORMULA, FormulaClass.UNKNOWN])
def test_infant_formula_and_the_unknown_are_never_promoted(jurisdiction: str, formula_class: FormulaClass) -> None:
    for ages in ([], [None], [0], [11], [70], [None, 70]):
        assert binding_formula_rule(jurisdiction, formula_class, ages) is not None


@pytest.mark.parametrize("jurisdiction", EVERYWHERE)
@pytest.mark.parametrize("ages", [[], [None], [5], [0, 40], [None, 40]])
def test_no_substitute_is_promoted_while_the_youngest_is_under_six_months(
    jurisdiction: str, ages: list[int | None]
) -> None:
    for formula_class in FormulaClass:
        rule = binding_formula_rule(jurisdiction, formula_class, ages)
        assert (rule is None) == (formula_class is FormulaClass.NONE)


ages_of_children = st.lists(st.none() | st.integers(0, 90), max_size=4)


@holds_for(
    st.sampled_from(EVERYWHERE) | st.text(max_size=3),
    st.sampled_from(FormulaClass),
    ages_of_children,
    st.none() | st.integers(0, 90),
    many=10_000,
)
def test_one_more_child_may_bind_and_never_frees(
    jurisdiction: str, formula_class: FormulaClass, ages: list[int | None], one_more: int | None
) -> None:
    before = binding_formula_rule(jurisdiction, formula_class, ages)
    after = binding_formula_rule(jurisdiction, formula_class, [*ages, one_more])
    youngest = min(-1 if age is None else age for age in [*ages, one_more])
    if before is not None and ages:
        assert after is not None
    if formula_class is FormulaClass.NONE:
        assert after is None
    elif youngest < 6 or formula_class in (FormulaClass.INFANT_FORMULA, FormulaClass.UNKNOWN):
        assert after is not None


@pytest.mark.parametrize(
    ("jurisdiction", "formula_class", "youngest", "rule"),
    [
        ("US", FormulaClass.FOLLOW_ON, 6, None),
        ("CN", FormulaClass.FOLLOW_ON, 6, None),
        ("CN", FormulaClass.SPECIAL_MEDICAL, 40, "cn.no-claim-to-replace-breast-milk"),
        ("GB", FormulaClass.SPECIAL_MEDICAL, 40, "eu.infant-formula"),
        ("PH", FormulaClass.GROWING_UP, 23, "ph.milk-code"),
        ("PH", FormulaClass.GROWING_UP, 24, None),
        ("BR", FormulaClass.GROWING_UP, 35, "who.substitutes-under-36-months"),
        ("BR", FormulaClass.GROWING_UP, 36, None),
        ("us", FormulaClass.BOTTLE_TEAT, 5, "house.substitutes-under-6-months"),
    ],
)
def test_each_jurisdiction_has_its_edge(
    jurisdiction: str, formula_class: FormulaClass, youngest: int, rule: str | None
) -> None:
    found = binding_formula_rule(jurisdiction, formula_class, [youngest, 60])
    assert (found.id if found else None) == rule


def test_every_rule_cites_its_source_and_every_jurisdiction_has_one_pack() -> None:
    ids = [rule.id for pack in packs().values() for rule in pack.formula]
    ids += [rule.id for pack in packs().values() for rule in pack.hours]
    assert len(set(ids)) == len(ids) >= 10
    sources = [rule.source for pack in packs().values() for rule in pack.formula]
    sources += [rule.source for pack in packs().values() for rule in pack.hours]
    assert all(len(source) > 20 for source in sources)
    names = [name for pack in packs().values() for name in pack.jurisdictions]
    assert len(names) == len(set(names))
    assert [pack.id for pack in packs_for("FR")] == ["house", "eu_gb"]


def test_hours_are_the_strictest_of_house_and_law() -> None:
    assert hours_for("CN", Channel.SMS, Purpose.PROMOTION) == (time(8), time(21))
    assert hours_for("US", Channel.CALL, Purpose.CARE) == (time(8), time(21))
    assert hours_for("US", Channel.EMAIL, Purpose.CARE) == (time(7), time(22))
    assert hours_for("US", Channel.EMAIL, Purpose.SERVICE) is None


def test_signature_and_opt_out_speak_the_networks_words() -> None:
    assert sms_signature("CN", "Nestling") == "【Nestling】"
    assert sms_signature("US", "Nestling") == "Nestling: "
    assert opt_out_words("CN", "zh-Hans") == "回T退订"
    assert opt_out_words("US", "zh-Hans") == "回复STOP退订"
    assert opt_out_words("US", "fr") == "Reply STOP to opt out"


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("Stage 1 infant formula, 20% off with a coupon", True),
        ("New: baby milk for $19", True),
        ("Free gift with every tin of FORMULA", True),
        ("Double points on follow-on milk", True),
        ("Ｓｔａｇｅ ２ is half price", True),
        ("for\u200bmula dis\u200bcount", True),
        ("1段奶粉今天八折", True),
        ("买二段送积分", True),
        ("奶 粉 优 惠 券", True),
        ("您的奶粉满300减50", True),
        ("配方奶满额赠礼", True),
        ("The formula you asked about is not in the store; please ask your doctor about a change", False),
        ("Diapers are 20% off with a coupon", False),
        ("纸尿裤今天八折，赠积分", False),
        ("您订的奶粉到店了，随时可取", False),
        ("可折叠的婴儿车到了，请问宝宝喝奶粉顺利吗", False),
        ("Feel free to call; breast-feeding can go on", False),
    ],
)
def test_own_words_about_formula_may_not_sell_it(text: str, is_refused: bool) -> None:
    assert advertises_formula(text) == is_refused
