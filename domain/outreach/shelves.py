"""Shelves: the categories that may be suggested, and how they are called when a member reads of them."""

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from domain.commerce.never_recommended import is_never_recommended
from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.sql import statement
from domain.stages.wording import is_chinese

FILE = Path(__file__).parent / "offers.toml"
NEVER_PROMOTED = frozenset({FormulaClass.INFANT_FORMULA, FormulaClass.UNKNOWN, FormulaClass.SPECIAL_MEDICAL})

STRICTEST_FIRST = (
    FormulaClass.UNKNOWN, FormulaClass.INFANT_FORMULA, FormulaClass.SPECIAL_MEDICAL, FormulaClass.FOLLOW_ON,
    FormulaClass.GROWING_UP, FormulaClass.BOTTLE_TEAT, FormulaClass.COMPLEMENTARY, FormulaClass.NONE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shelf:
    category: str
    base_rate: float  # how often a member buys a category for the first time within the model's horizon
    line_amount: float  # what a line of it costs, in the installation's currency
    formula_class: FormulaClass  # the strictest of its products
    is_for_babies: bool


@dataclass(frozen=True, slots=True)
class NamedShelf:
    """What the law wants to know of a shelf that a person names."""

    category: str
    formula_class: FormulaClass  # the strictest of its products
    is_for_babies: bool


@lru_cache(maxsize=1)
def _data() -> tuple[tuple[str, ...], dict[str, list[str]]]:
    document = tomllib.loads(FILE.read_text("utf-8"))
    return tuple(document["never"]), document["labels"]


def is_fit_to_suggest(category: str, department: str = "") -> bool:
    """A shelf we have words for in both languages; no alcohol, no tobacco, nothing intimate or medical."""
    words, labels = _data()
    if category not in labels or is_never_recommended(category, department):
        return False
    return not any(word in category.upper() for word in words)


def shelf_label(category: str, language: str) -> str:
    """The category as a member would say it, for the middle of a sentence.

    One that nobody has named reads as a title where its source writes capitals, else as the source has it. Only
    consultants get to read it: what is not named is not suggested in writing.
    """
    _, labels = _data()
    if category in labels:
        return labels[category][is_chinese(language)]
    return titled(category) if category.isupper() else category


def titled(text: str) -> str:
    """Title case for a till's capitals: MEAT/MEAT DINNERS is Meat/Meat Dinners."""
    return re.sub(r"[^\W\d_]+('[^\W\d_]+)?", lambda word: word[0].capitalize(), text)


async def find_shelf(category: str) -> NamedShelf | None:
    """The shelf that a person names; None when we have none, or none that we suggest.

    Formula that nobody may promote is found all the same: the law says no to it, by its own rule.
    """
    rows = await connection().execute_query_dict(
        "SELECT array_agg(DISTINCT formula_class::text) AS classes, bool_or(baby_class <> 'NONE') AS is_for_babies, "
        "coalesce(mode() WITHIN GROUP (ORDER BY department), '') AS department "
        "FROM products WHERE category = $1 AND is_merchandise",
        [category],
    )
    classes = [FormulaClass(name) for name in rows[0]["classes"] or []]
    strictest = next((formula_class for formula_class in STRICTEST_FIRST if formula_class in classes), None)
    if strictest is None:
        return None
    is_left_to_law = strictest in (FormulaClass.UNKNOWN, FormulaClass.INFANT_FORMULA)
    if not is_left_to_law and (strictest in NEVER_PROMOTED or not is_fit_to_suggest(category, rows[0]["department"])):
        return None
    return NamedShelf(category, strictest, rows[0]["is_for_babies"])


async def suggestible_shelves(at: datetime) -> dict[str, Shelf]:
    """The shelves that scores speak of and that may be suggested to somebody; law by household comes later."""
    rows = await connection().execute_query_dict(statement("care_shelves"), [at])
    shelves = [
        Shelf(
            row["category"], row["base_rate"], row["amount"] or 0.0, FormulaClass(row["formula_class"]),
            row["is_for_babies"],
        )
        for row in rows
        if is_fit_to_suggest(row["category"], row["department"])
    ]  # fmt: skip
    return {shelf.category: shelf for shelf in shelves if shelf.formula_class not in NEVER_PROMOTED}
