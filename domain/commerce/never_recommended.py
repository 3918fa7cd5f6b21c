"""Never recommended: categories that are sold and that no score, offer, call or reason may name. Data, not code."""

import hashlib
import re
import tomllib
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".toml")


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], frozenset[str]]:
    """What is taken out, what is looked for, and the departments."""
    document = tomllib.loads(FILE.read_text("utf-8"))
    words, parts, harmless = (
        "|".join(re.escape(text.upper()) for text in sorted(document[name], key=len, reverse=True))
        for name in ("words", "parts", "except")
    )
    departments = frozenset(text.upper() for text in document["departments"])
    return re.compile(harmless), re.compile(rf"(?<!\w)(?:{words})(?!\w)|{parts}"), departments


@lru_cache(maxsize=4_096)
def is_never_recommended(category: str, department: str = "") -> bool:
    """Whether the category, by its own text or by its department, is one that we only sell."""
    harmless, named, departments = _patterns()
    if department.strip().upper() in departments:
        return True
    return named.search(harmless.sub(" ", category.upper())) is not None


@lru_cache(maxsize=1)
def version() -> str:
    """Names the text of the list: any change of a word changes it."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()[:12]
