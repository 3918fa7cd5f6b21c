"""Shelves: the categories that may be suggested, and how they are called when a member reads of them."""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.sql import statement
from domain.stages.wording import is_chinese

FILE = Path(__file__).parent / "offers.toml"
NEVER_PROMOTED = frozenset({FormulaClass.INFANT_FORMULA, FormulaClass.UNKNOWN, FormulaClass.SPECIAL_MEDICAL})


@dataclass(frozen=True, slots=True)
class Shelf:
    category: str
    base_rate: float  # how often a member buys a category for the first time within the model's horizon
    line_amount: float  # what a line of it costs, in the installation's currency
    formula_class: FormulaClass  # the strictest of its products
    is_for_babies: bool


@lru_cache(maxsize=1)
def _data() -> tuple[tuple[str, ...], dict[str, list[str]]]:
    document = tomllib.loads(FILE.read_text("utf-8"))
    return tuple(document["never"]), document["labels"]


def is_fit_to_suggest(category: str) -> bool:
    """No alcohol, no tobacco, nothing intimate or medical, no shelf that is none."""
    words, _ = _data()
    return bool(category.strip()) and not any(word in category.upper() for word in words)


def shelf_label(category: str, language: str) -> str:
    """The category as a member would say it."""
    _, labels = _data()
    if category in labels:
        return labels[category][is_chinese(language)]
    return category.lower().replace("/", ", ")


async def suggestible_shelves(at: datetime) -> dict[str, Shelf]:
    """The shelves that scores speak of and that may be suggested to somebody; law by household comes later."""
    rows = await connection().execute_query_dict(statement("care_shelves"), [at])
    shelves = [
        Shelf(
            row["category"], row["base_rate"], row["amount"] or 0.0, FormulaClass(row["formula_class"]),
            row["is_for_babies"],
        )
        for row in rows
        if is_fit_to_suggest(row["category"])
    ]  # fmt: skip
    return {shelf.category: shelf for shelf in shelves if shelf.formula_class not in NEVER_PROMOTED}
