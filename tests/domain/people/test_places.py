import pytest

from domain.outreach.law.packs import packs
from domain.people.places import canonical_language, countries, place_flaws


def test_countries_are_those_of_iso_3166_and_no_other() -> None:
    assert len(countries()) == 249
    assert not countries() & {"UK", "EU", "XK", "XX", "ZZ", "AN", ""}
    assert frozenset().union(*(pack.jurisdictions for pack in packs().values())) - {"*", "default"} <= countries()


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("en", "en"), ("EN-us", "en-US"), ("zh-hans", "zh-Hans"), ("zh-Hant-TW", "zh-Hant-TW"), ("es-419", "es-419"),
        ("yue", "yue"), ("tl", "tl"), ("de-CH-1996", "de-CH-1996"), ("haw", "haw"),
        ("english", None), ("xx", None), ("e", None), ("", None), ("zh_CN", None), ("en-UK", None), ("en-Abcd", None),
        ("eng", None), ("und", None), ("zh-CN-Hans", None), ("i-klingon", None), ("en-x-mine", None), ("中文", None),
        ("-", None), ("en-", None), ("en-US-" + "a" * 20, None),
    ],
)  # fmt: skip
def test_a_language_is_a_known_tag_in_the_usual_letter_case(tag: str, kept: str | None) -> None:
    assert canonical_language(tag) == kept
    assert [flaw.field for flaw in place_flaws(tag, None, None)] == ([] if kept else ["language"])
