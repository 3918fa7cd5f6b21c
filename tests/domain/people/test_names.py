"""Names are found by what people type: characters' pinyin, initials, or plain letters."""

import pytest

from domain.people.names import name_initials, name_key


@pytest.mark.parametrize(
    ("name", "key", "initials"),
    [
        ("王小丽", "wangxiaoli", "wxl"),
        ("Emma Johnson", "emma johnson", "ej"),
        ("Zoë O'Neill", "zoe oneill", "zo"),
        ("Anna 王", "anna wang", "aw"),
        ("  李 雷 ", "li lei", "ll"),
        ("ＬＩＵ　Ｙａｎｇ", "liu yang", "ly"),
        ("吕绿", "lvlv", "ll"),
        ("🙂", "", ""),
        ("", "", ""),
    ],
)
def test_a_name_has_a_key_and_initials(name: str, key: str, initials: str) -> None:
    assert name_key(name) == key
    assert name_initials(name) == initials


@pytest.mark.parametrize(
    ("name", "key"),
    [("单田芳", "shantianfang"), ("曾国藩", "zengguofan"), ("尉迟恭", "yuchigong"), ("仇英", "qiuying")],
)
def test_a_surname_is_read_as_a_surname(name: str, key: str) -> None:
    assert name_key(name) == key


def test_a_key_never_outgrows_its_column() -> None:
    assert len(name_key("王" * 300)) <= 400
    assert len(name_initials("王" * 300)) <= 100
