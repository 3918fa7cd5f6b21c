"""Root fields about babies."""

from datetime import date
from typing import Annotated

import strawberry

from api.errors import bad_user_input
from api.projection import Ask, connection
from api.projection.pages import Connection
from api.schema.people.babies import Baby
from domain.platform.roles import Permission
from domain.stages.asof import enters_sql
from domain.stages.rules import AgeBasis, Stage

MOST_DAYS = 366  # between the first and the last day
YEARS = (1900, 2200)


def _enter(
    ask: Ask,
    alias: str,
    stage: Annotated[Stage, strawberry.argument(description="Which stage; not UNKNOWN.")],
    from_: Annotated[date, strawberry.argument(name="from", description="First day.")],
    to: Annotated[
        date, strawberry.argument(description=f"Last day, itself included; at most {MOST_DAYS} days after `from`.")
    ],
    basis: Annotated[
        AgeBasis,
        strawberry.argument(description="CORRECTED: preterm babies under 24 months by corrected age, as care reads."),
    ] = AgeBasis.CHRONOLOGICAL,
) -> list[str]:
    if not YEARS[0] <= from_.year <= YEARS[1]:
        raise bad_user_input(f"`from` is a day of the years {YEARS[0]} to {YEARS[1]}.")
    if not 0 <= (to - from_).days <= MOST_DAYS:
        raise bad_user_input(f"`to` is the last day: the same as `from` or at most {MOST_DAYS} days later.")
    ask.context.searched_by.add("stage")
    entering = enters_sql(ask, alias, stage, from_, to, basis)
    if entering is None:
        raise bad_user_input("UNKNOWN is no range of dates; ask for another stage.")
    return [f"{alias}.stopped_at IS NULL", entering]


@strawberry.type
class BabyQueries:
    stage_entries: Connection[Baby] | None = connection(
        "Babies whom the caller may see and who enter a stage within some days, past or coming, in a fixed order. A "
        "birth is never presumed: nobody enters NEWBORN by a due date. Stopped babies are left out.",
        key=(("id", "ASC", "uuid"),),
        find=_enter,
        permission=Permission.SEARCH_MEMBERS,
    )
