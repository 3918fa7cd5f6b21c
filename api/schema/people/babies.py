"""Babies, and where each stands in life."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import ApiContext
from api.projection import Audit, Family, Wanted, column, computed, identifier, projected, relation
from api.schema.nodes import Node
from api.schema.people.tags import IN_FORCE as TAG_IN_FORCE
from api.schema.people.tags import Tag
from api.schema.scopes import OF_HOUSEHOLD
from domain.people.babies import Feeding, Sex
from domain.platform.roles import Permission
from domain.platform.sources import Source
from domain.stages.engine import BabyDates, Reading, read
from domain.stages.rules import Stage
from domain.stages.wording import say, stage_name

if TYPE_CHECKING:
    from api.schema.people.households import Household


@strawberry.type(description="A stage that a baby will enter.")
class NextStage:
    stage: Stage = strawberry.field(description="Which.")
    name: str = strawberry.field(description="Its name in the caller's language.")
    on: date | None = strawberry.field(description="Expected day; null once a due date has passed without a birth.")


@strawberry.type(description="Where a baby stands today (business clock), computed from her dates and never stored.")
class BabyStage:
    stage: Stage = strawberry.field(description="By chronological age: check-ups, vaccines, birthdays.")
    name: str = strawberry.field(description="The stage's name in the caller's language.")
    care_stage: Stage = strawberry.field(description="By corrected age for preterm babies under 24 months.")
    age: str = strawberry.field(description='As people say it: "week 32", "5 months 12 days"; empty when unknown.')
    week: int | None = strawberry.field(description="Completed weeks of pregnancy; null once born.")
    age_months: int | None = strawberry.field(description="Completed months since birth; null before.")
    formula_stage: int | None = strawberry.field(
        description="Formula stage (1, 2, 3) by the younger reading of her age."
    )
    next: NextStage | None = strawberry.field(description="What comes next; null after the last.")
    next_formula_stage: int | None = strawberry.field(description="The formula stage after this one.")
    next_formula_stage_on: date | None = strawberry.field(description="Its first day.")
    why_unknown: str = strawberry.field(
        description="NO_DATE, BIRTH_DATE_AHEAD, DUE_DATE_TOO_FAR or BIRTH_NOT_REPORTED when UNKNOWN, else empty."
    )
    on: date = strawberry.field(description="The business day that this was read for.")
    rules_version: str = strawberry.field(description="The stage plan it was read by.")


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None


def _stage(reading: Reading, on: date, language: str) -> BabyStage:
    following = reading.next_stage
    return BabyStage(
        stage=reading.stage,
        name=stage_name(reading.stage, language),
        care_stage=reading.care_stage,
        age=say(reading, language),
        week=reading.week,
        age_months=reading.age.months if reading.age else None,
        formula_stage=reading.formula_stage,
        next=NextStage(stage=following, name=stage_name(following, language), on=reading.next_stage_on)
        if following
        else None,
        next_formula_stage=reading.next_formula_stage,
        next_formula_stage_on=reading.next_formula_stage_on,
        why_unknown=reading.why_unknown,
        on=on,
        rules_version=reading.rules_version,
    )


async def _compute(context: ApiContext, wanted: Sequence[Wanted]) -> list[BabyStage]:
    found = []
    for item in wanted:
        needs, on = item.needs, date.fromisoformat(item.needs["on"])
        dates = BabyDates(_day(needs["born_on"]), _day(needs["due_on"]), needs["gestation_weeks"])
        found.append(_stage(read(dates, on), on, context.language))
    return found


STAGES = Family(
    "stages",
    needs={
        "born_on": "{t}.born_on",
        "due_on": "{t}.due_on",
        "gestation_weeks": "{t}.gestation_weeks",
        "on": lambda ask, _alias: ask.today(),
    },
    compute=_compute,
)


@projected(
    table="babies",
    scope=OF_HOUSEHOLD,
    permission=Permission.READ_BABIES,
    description="A child of a household, born or expected. Children's data: staff reads leave an audit row.",
    audit=Audit("household_id", of=lambda actor: actor.member_id is None),
)
class Baby(Node):
    id: strawberry.ID = identifier()
    nickname: str | None = column("nickname", "What the family calls her.")
    sex: Sex = column("sex", "As told.")
    due_on: date | None = column("due_on", "Due date.")
    due_source: Source | None = column("due_source", "Who named the due date.")
    due_confidence: float | None = column("due_confidence", "How sure, in [0, 1].")
    born_on: date | None = column("born_on", "Birth date.")
    born_source: Source | None = column("born_source", "Who named the birth date.")
    born_confidence: float | None = column("born_confidence", "How sure, in [0, 1].")
    gestation_weeks: int | None = column("gestation_weeks", "Completed weeks at birth; null: term or unknown.")
    presence_source: Source = column("presence_source", "Who says that there is a baby; INFERRED: baskets hint at it.")
    presence_confidence: float = column("presence_confidence", "How sure, in [0, 1].")
    feeding: Feeding = column("feeding", "How she is fed.")
    feeding_since: date | None = column("feeding_since", "Since when.")
    formula_brand: str | None = column("formula_brand", "Brand of formula.")
    allergies: str | None = column("allergies", "Known allergies.")
    stopped_at: datetime | None = column("stopped_at", "Since when nothing about her is said or sent (business clock).")
    version: int = column("version", "Grows with every change; updates name the one they saw.")
    stage: BabyStage = computed(STAGES, "stage", "Where she stands today, and what comes next.")
    tags: list[Tag] | None = relation(
        "Tags in force on her, latest first.",
        on={"baby_id": "id"},
        where=TAG_IN_FORCE,
        order="{t}.set_at DESC, {t}.id",
        first=10,
    )
    household: Annotated["Household", strawberry.lazy("api.schema.people.households")] = relation(
        "Her family.", on={"id": "household_id"}
    )
