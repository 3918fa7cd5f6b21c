"""What the champion models say of a member."""

from collections.abc import Sequence
from datetime import date

from api.context import ApiContext
from api.projection import Family, Wanted, column, computed, expression, projected
from api.schema.scopes import OF_MEMBER
from domain.insight.reasons import say_all
from domain.platform.roles import Permission


async def _compute(context: ApiContext, wanted: Sequence[Wanted]) -> list[list[str]]:
    return [say_all(item.needs["reasons"], context.language) for item in wanted]


REASONS = Family("reasons", needs={"reasons": "{t}.reasons"}, compute=_compute)


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
    model_version: str = expression(
        "(SELECT sm.version FROM scoring_models sm WHERE sm.id = {t}.model_id)", "Version of the model."
    )
