"""Next needs: of what a model expects a family to buy, what a consultant may bring up on a call. Pure."""

from collections.abc import Collection

from domain.commerce.products import FormulaClass
from domain.outreach.shelves import is_fit_to_suggest, shelf_label


def next_need(category: str, is_for_babies: bool, classes: Collection[FormulaClass], language: str) -> str | None:
    """The shelf's name in the reader's language, or nothing to say of it.

    We call about the nursery: a likely frozen dinner is true and of no use to her. A shelf that formula law knows at
    all is not brought up by us, whatever the child's age; written offers ask the law household by household.
    """
    if not is_for_babies or not is_fit_to_suggest(category) or set(classes) != {FormulaClass.NONE}:
        return None
    return shelf_label(category, language)
