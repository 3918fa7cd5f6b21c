"""Names as people type them into a search box: pinyin, initials and lower case, made once when a name is written."""

import itertools
import re
import unicodedata
from functools import lru_cache

KEY_LENGTH = 400
INITIALS_LENGTH = 100

# As surnames these read otherwise than anywhere else; pypinyin gives the commoner reading.
SURNAMES = {
    "万俟": ["mo", "qi"], "尉迟": ["yu", "chi"], "长孙": ["zhang", "sun"], "澹台": ["tan", "tai"],
    "单": ["shan"], "曾": ["zeng"], "解": ["xie"], "仇": ["qiu"], "区": ["ou"], "查": ["zha"], "任": ["ren"],
    "朴": ["piao"], "翟": ["zhai"], "华": ["hua"], "盖": ["ge"], "缪": ["miao"], "乐": ["yue"], "秘": ["bi"],
    "冼": ["xian"], "尹": ["yin"], "黑": ["he"], "重": ["chong"], "员": ["yun"], "召": ["shao"], "种": ["chong"],
    "覃": ["qin"], "折": ["she"], "繁": ["po"], "宓": ["fu"],
}  # fmt: skip

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+")
_WORD = re.compile(r"[0-9a-z]+")


def name_key(name: str) -> str:
    """What a search by name compares with: pinyin without tones run together, other letters lower-cased and unaccented.

    王小丽 -> wangxiaoli, Zoë O'Neill -> zoe oneill, Anna 王 -> anna wang. The same for every spelling in full or half
    width. Empty when nothing readable is left.
    """
    return " ".join("".join(word) for word in _words(name))[:KEY_LENGTH]


def name_initials(name: str) -> str:
    """First letters, one a character or word: 王小丽 -> wxl, Emma Johnson -> ej."""
    return "".join(syllable[0] for word in _words(name) for syllable in word)[:INITIALS_LENGTH]


def _words(name: str) -> list[list[str]]:
    """The name's words, each a list of syllables; a word in other letters is one syllable."""
    plain = unicodedata.normalize("NFKC", name).strip()
    words: list[list[str]] = []
    for at, run in _runs(plain):
        if _HAN.fullmatch(run):
            words.append(_syllables(run, is_start=at == 0))
        else:
            words.extend([word] for word in _WORD.findall(_unaccented(run)))
    return [word for word in words if word]


def _runs(text: str) -> list[tuple[int, str]]:
    """The text cut where Chinese characters begin or end, each piece with its place."""
    cuts = sorted({0, len(text), *(edge for match in _HAN.finditer(text) for edge in match.span())})
    return [(start, text[start:end]) for start, end in itertools.pairwise(cuts)]


def _unaccented(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in decomposed if not unicodedata.combining(c) and c not in "'’`")


@lru_cache(maxsize=4096)
def _reading(characters: str) -> tuple[str, ...]:
    from pypinyin import lazy_pinyin  # 2 MB of readings, wanted by writers of Chinese names only

    read = (_WORD.findall(_unaccented(syllable)) for syllable in lazy_pinyin(characters, v_to_u=False))
    return tuple(syllable for found in read for syllable in found)


def _syllables(characters: str, *, is_start: bool) -> list[str]:
    if is_start and len(characters) > 1:
        for length in (2, 1):
            surname = SURNAMES.get(characters[:length])
            if surname is not None:
                return [*surname, *_reading(characters[length:])]
    return list(_reading(characters))
