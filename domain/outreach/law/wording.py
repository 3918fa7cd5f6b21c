"""A linter of own words: what plainly advertises formula is refused before it is stored. No proof of anything else."""

import re
import tomllib
import unicodedata
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).parent / "words" / "formula_advertising.toml"

REFUSAL = (
    "It speaks of formula together with a price, a discount, a reward or praise, and formula law allows no promotion "
    "of formula in words of one's own. Leave out either: answer the question without selling, or write without naming "
    "formula. Offers go by approved templates."
)
"""Says why and what to do, and repeats nothing of the text."""


def advertises_formula(text: str) -> bool:
    """Whether the text has a word for formula and a word of advertising, in English or Chinese. Pure.

    Full-width and look-alike forms are read as plain ones, and what cannot be seen is left out; misspellings, other
    languages and hints pass.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if unicodedata.category(c) != "Cf")
    spaced, closed = re.sub(r"\s+", " ", plain), re.sub(r"[\W_]+", "", plain)
    return all(latin.search(spaced) or chinese.search(closed) for latin, chinese in _words())


@lru_cache(maxsize=1)
def _words() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    """Of each list, formula first: (Latin, Chinese). A malformed pattern fails the first message, not a later one."""
    document = tomllib.loads(FILE.read_text("utf-8"))
    return tuple(
        (re.compile("|".join(document[name]["latin"])), re.compile("|".join(document[name]["chinese"])))
        for name in ("formula", "advertising")
    )
