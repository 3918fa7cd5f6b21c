import pytest

from domain.commerce.never_recommended import is_never_recommended


@pytest.mark.parametrize(
    "category",
    [
        "BEERS/ALES", "DOMESTIC WINE", "IMPORTED WINE", "MISC WINE", "LIQUOR", "CIGARETTES", "CIGARS", "TOBACCO OTHER",
        "Craft beer", "Wine & Spirits", "白酒", "进口葡萄酒", "香烟", "电子烟",
    ],
)  # fmt: skip
def test_alcohol_and_tobacco_are_never_recommended(category: str) -> None:
    assert is_never_recommended(category)


@pytest.mark.parametrize(
    "category",
    [
        "", "SOFT DRINKS", "ROOT BEER", "Ginger Ale", "VINEGAR WINE/RICE", "SMOKED MEATS", "GINGER", "RUMP STEAK",
        "SALES", "ALCOHOL WIPES", "SPIRIT LEVELS", "酒精湿巾", "DIAPERS & DISPOSABLES", "SWINE", "DRUMSTICKS",
    ],
)  # fmt: skip
def test_what_only_sounds_alike_may_be_recommended(category: str) -> None:
    assert not is_never_recommended(category)


def test_every_category_of_such_a_department_counts() -> None:
    assert is_never_recommended("MIXERS", "Spirits")
    assert not is_never_recommended("MIXERS", "GROCERY")
