"""Names are found by what people type: characters' pinyin, initials, or plain letters."""

import re
import unicodedata

import pytest
from hypothesis import strategies as st

from domain.people.names import name_initials, name_key
from tests.properties import holds_for


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


names = st.text(max_size=40) | st.text("王小丽单曾吕绿欧阳Zoë O'Nélan-ＬＩＵ　🙂", max_size=20)


@holds_for(names, many=10_000)
def test_a_key_holds_plain_letters_only_and_every_spelling_has_the_same(name: str) -> None:
    key, initials = name_key(name), name_initials(name)
    assert re.fullmatch(r"([0-9a-z]+( [0-9a-z]+)*)?", key)
    assert re.fullmatch(r"[0-9a-z]*", initials)
    assert bool(key) == bool(initials)
    assert key.startswith(initials[:1])
    assert name_key(f"　{unicodedata.normalize('NFKC', name)} ") == key
    assert name_key(unicodedata.normalize("NFD", name)) == key
    assert name_key(key) == key, "a key typed as a name finds itself"
