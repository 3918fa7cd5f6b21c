"""Template values that a caller gives: names of shelves and stores are ours, the rest is read by the linter.

An approved wording is only as good as what is put into it: a shelf's name brings the shelf's formula class along, so
that the law decides about what is really promoted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.outreach.law.wording import REFUSAL, advertises_formula
from domain.outreach.shelves import find_shelf, shelf_label
from domain.outreach.templates import catalogue
from domain.platform.failures import ValidationError

LONGEST_TEXT = 600  # characters of one value
CATEGORY, STORE = "category", "store"


@dataclass(frozen=True, slots=True)
class TemplateValues:
    params: dict[str, Any]
    formula_class: FormulaClass = FormulaClass.NONE
    is_about_babies: bool = False


async def resolve(
    template_key: str, given: Mapping[str, Any], member_id: UUID, field: str = "params"
) -> TemplateValues | ValidationError:
    """The values as the member will read them, and what the law asks of them; or what is wrong with `field`.

    Exactly the template's own values are taken. A category is that of a shelf we have, as its products name it, and is
    said in her language; a store is the name of one of ours.
    """
    needed = catalogue().params.get(template_key, frozenset())
    if missing := sorted(needed - given.keys()):
        return ValidationError.of(field, f"The template also needs: {', '.join(missing)}.")
    if given.keys() - needed:
        known = f"Its values are: {', '.join(sorted(needed))}." if needed else "It has none."
        return ValidationError.of(field, f"The template does not have such a value. {known}")
    if not all(isinstance(value, str) and len(value) <= LONGEST_TEXT for value in given.values()):
        return ValidationError.of(field, f"Each value is a text of at most {LONGEST_TEXT} characters.")
    if advertises_formula("\n".join(given[name] for name in sorted(needed - {CATEGORY, STORE}))):
        return ValidationError.of(field, REFUSAL)
    if STORE in needed and given[STORE] and not await _is_store(given[STORE]):
        return ValidationError.of(field, "store: none of our stores has this name.")
    if CATEGORY not in needed:
        return TemplateValues(dict(given))
    shelf = await find_shelf(given[CATEGORY])
    if shelf is None:
        return ValidationError.of(field, "category: no shelf that we suggest is called so; name it as its products do.")
    label = shelf_label(shelf.category, await _language(member_id))
    return TemplateValues({**given, CATEGORY: label}, shelf.formula_class, shelf.is_for_babies)


async def _is_store(name: str) -> bool:
    rows = await connection().execute_query_dict(
        "SELECT EXISTS (SELECT FROM stores WHERE name = $1) AS is_known", [name]
    )
    return bool(rows[0]["is_known"])


async def _language(member_id: UUID) -> str:
    rows = await connection().execute_query_dict("SELECT language FROM members WHERE id = $1", [member_id])
    return str(rows[0]["language"])
