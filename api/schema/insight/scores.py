"""What the champion models say of a member."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from api.context import ApiContext
from api.projection import Family, Wanted, column, computed, expression, projected
from api.schema.scopes import OF_MEMBER
from domain.commerce.products import FormulaClass
from domain.insight.reasons import say_all
from domain.outreach.next_needs import next_need
from domain.platform.roles import Permission


async def _compute(context: ApiContext, wanted: Sequence[Wanted]) -> list[list[str]]:
    return [say_all(item.needs["reasons"], context.language) for item in wanted]


REASONS = Family("reasons", needs={"reasons": "{t}.reasons"}, compute=_compute)


async def _needs(context: ApiContext, wanted: Sequence[Wanted]) -> list[str | None]:
    return [_need(item.needs, context.language) for item in wanted]


def _need(needs: dict[str, Any], language: str) -> str | None:
    classes = [FormulaClass(name) for name in needs["classes"] or ()]
    return next_need(needs["category"], bool(needs["is_for_babies"]), classes, language)


OF_ITS_SHELF = "FROM products p WHERE p.category = {t}.category AND p.is_merchandise"
NEEDS = Family(
    "needs",
    needs={
        "category": "{t}.category",
        "is_for_babies": f"(SELECT avg((p.baby_class <> 'NONE')::int) > 0.5 {OF_ITS_SHELF})",
        "classes": f"(SELECT jsonb_agg(DISTINCT p.formula_class) {OF_ITS_SHELF})",
    },
    compute=_needs,
)


@projected(
    table="scores",
    scope=OF_MEMBER,
    permission=Permission.READ_SCORES,
    description="A probability that a champion model gives a member.",
)
class Score:
    model: str = column(
        "model_name", "churn: no purchase in the next 30 days; cross_sell: first purchase of `category`."
    )
    category: str = column("category", "cross_sell: the product category; empty for churn.")
    probability: float = column("probability", "Calibrated, in [0, 1].")
    rank: int = column("rank", "1 = highest: of all members for churn, of the member's categories for cross_sell.")
    as_of: date = column("as_of", "The model saw nothing at or after 00:00 of this business day.")
    reasons: list[str] = computed(
        REASONS, "reasons", "Why, in words a consultant can say aloud, in the caller's language."
    )
    next_need: str | None = computed(
        NEEDS,
        "next_need",
        "cross_sell: the category in the caller's words, where a consultant may bring it up on a call: a shelf of the "
        "nursery that no formula law knows. Else null.",
    )
    model_version: str = expression(
        "(SELECT sm.version FROM scoring_models sm WHERE sm.id = {t}.model_id)", "Version of the model."
    )
