"""Babies, and where each stands in life."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import ApiContext
from api.errors import bad_user_input
from api.projection import Audit, Family, Wanted, column, computed, identifier, projected, relation
from api.schema.nodes import Node
from api.schema.people.provenance import OF_BABY, Provenance
from api.schema.people.tags import IN_FORCE as TAG_IN_FORCE
from api.schema.people.tags import Tag
from api.schema.scopes import OF_HOUSEHOLD, only_from
from domain.people.babies import Feeding, Sex
from domain.people.consents import ConsentState
from domain.platform.clock import business_day_sql
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose, Source
from domain.stages.care_calendar import Due, care_calendar, coming_stages
from domain.stages.care_plans import CareKind
from domain.stages.engine import BabyDates, Reading, read
from domain.stages.lunar import next_lunar_birthday
from domain.stages.rules import AgeBasis, Stage
from domain.stages.wording import is_chinese, say, stage_name

if TYPE_CHECKING:
    from api.schema.people.households import Household
    from api.schema.people.members import Member


@strawberry.type(description="A stage that a baby will enter.")
class NextStage:
    stage: Stage = strawberry.field(description="Which.")
    name: str = strawberry.field(description="Its name in the caller's language.")
    on: date | None = strawberry.field(description="Its first day; null once a due date has passed without a birth.")
    is_expected: bool = strawberry.field(description="true: counted from a due date; the birth will move it.")


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


def _next(stage: Stage, on: date | None, is_expected: bool, language: str) -> NextStage:
    return NextStage(stage=stage, name=stage_name(stage, language), on=on, is_expected=is_expected)


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
        next=_next(following, reading.next_stage_on, reading.age is None, language) if following else None,
        next_formula_stage=reading.next_formula_stage,
        next_formula_stage_on=reading.next_formula_stage_on,
        why_unknown=reading.why_unknown,
        on=on,
        rules_version=reading.rules_version,
    )


NOT_SAID = BabyDates(None, None, None)
"""A baby whose content was stopped is in no stage, whatever her dates would say."""


async def _compute(context: ApiContext, wanted: Sequence[Wanted]) -> list[BabyStage]:
    found = []
    for item in wanted:
        needs, on = item.needs, date.fromisoformat(item.needs["on"])
        dates = BabyDates(_day(needs["born_on"]), _day(needs["due_on"]), needs["gestation_weeks"])
        found.append(_stage(read(NOT_SAID if needs["is_stopped"] else dates, on), on, context.language))
    return found


STAGES = Family(
    "stages",
    needs={
        "born_on": "{t}.born_on",
        "due_on": "{t}.due_on",
        "gestation_weeks": "{t}.gestation_weeks",
        "is_stopped": "{t}.stopped_at IS NOT NULL",
        "on": lambda ask, _alias: ask.today(),
    },
    compute=_compute,
)


@strawberry.type(description="Something due for a baby, from schedules that are data: a reminder, never advice.")
class CareDue:
    code: str = strawberry.field(description="The item of the plan; with the year where it is due in each season.")
    kind: CareKind = strawberry.field(description="What it is.")
    title: str = strawberry.field(description="In the caller's language.")
    on: date = strawberry.field(description="When: the first day of its window, or today when that is open already.")
    opens_on: date = strawberry.field(description="First day of its window.")
    closes_on: date = strawberry.field(description="Last day of its window; after it the item is not due any more.")
    basis: AgeBasis = strawberry.field(description="Which of a preterm baby's ages it goes by.")
    purpose: Purpose = strawberry.field(description="What a message about it would be.")
    channels: list[Channel] = strawberry.field(description="Where to say it, preferred first.")
    is_expected: bool = strawberry.field(description="true: counted from a due date; the birth will move it.")
    source: str = strawberry.field(description="Whose schedule it is.")
    plan_version: str = strawberry.field(description="The care plan it was read from.")


async def _ahead(context: ApiContext, wanted: Sequence[Wanted]) -> list[object]:
    """What lies before each baby, in her family's time zone; nothing before one whose content was stopped."""
    found: list[object] = []
    for item in wanted:
        needs, on = item.needs, date.fromisoformat(item.needs["on"])
        dates = BabyDates(_day(needs["born_on"]), _day(needs["due_on"]), needs["gestation_weeks"])
        if item.name == "next_lunar_birthday":
            is_said = not needs["is_stopped"] and dates.born_on is not None and dates.born_on <= on
            found.append(next_lunar_birthday(dates.born_on, on) if is_said and dates.born_on else None)
        elif needs["is_stopped"]:
            found.append([])
        elif item.name == "next_stages":
            coming = coming_stages(dates, on)
            found.append([_next(one.stage, one.on, one.is_expected, context.language) for one in coming])
        else:
            due = care_calendar(dates, needs["region"], on, item.given["months"])
            found.append([_care(one, context.language) for one in due])
    return found


def _care(due: Due, language: str) -> CareDue:
    item = due.item
    return CareDue(
        code=due.key, kind=item.kind, title=item.zh if is_chinese(language) else item.en, on=due.on,
        opens_on=due.opens_on, closes_on=due.closes_on, basis=item.basis, purpose=item.purpose,
        channels=list(item.channels), is_expected=due.is_expected, source=item.source, plan_version=due.plan_version,
    )  # fmt: skip


# The carer who joined the household's rows first says where the family lives.
_CARER = "(SELECT m.{} FROM members m WHERE m.household_id = {{t}}.household_id ORDER BY m.id LIMIT 1)"
AHEAD = Family(
    "ahead",
    needs={
        "born_on": "{t}.born_on",
        "due_on": "{t}.due_on",
        "gestation_weeks": "{t}.gestation_weeks",
        "is_stopped": "{t}.stopped_at IS NOT NULL",
        "region": f"coalesce({_CARER.format('jurisdiction')}, '')",
        "on": lambda ask, alias: business_day_sql(
            f"coalesce({_CARER.format('time_zone').format(t=alias)}, {ask(ask.config.time_zone, 'text')})"
        ),
    },
    compute=_ahead,
)
MOST_MONTHS = 24


def _months(
    months: Annotated[int, strawberry.argument(description=f"How many from today on, 1-{MOST_MONTHS}.")] = 12,
) -> None:
    if not 1 <= months <= MOST_MONTHS:
        raise bad_user_input(f"`months` is between 1 and {MOST_MONTHS}.")


@projected(
    table="guardian_consents",
    scope=only_from({"Baby": (("baby_id", "id"),)}),
    permission=Permission.READ_BABIES,
    description="What a guardian said of a child's health data: apart from consents to contact.",
)
class GuardianConsent:
    state: ConsentState = column("state", "Given or withdrawn.")
    given_at: datetime = column("given_at", "When (business clock).")
    source: Source = column("source", "Who said so.")
    how: str = column("how", "Where it was said.")
    text_version: str = column("text_version", "Which wording she saw; empty in withdrawals, which need none.")
    text_hash: str = column("text_hash", "SHA-256 of that wording, in hex.")
    guardian: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "Who said it; null: she was erased.", on={"id": "member_id"}
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
    feeding_source: Source | None = column("feeding_source", "Who said how she is fed, formula and packs included.")
    formula_brand: str | None = column("formula_brand", "Brand of formula.")
    formula_stage: int | None = column("formula_stage", "Formula stage she is fed, as on the label, 1 to 4.")
    formula_stage_since: date | None = column("formula_stage_since", "Since when.")
    packs_at_home: int | None = column("packs_at_home", "Closed packs of formula on `packsCountedOn`.")
    packs_counted_on: date | None = column("packs_counted_on", "The day on which they were counted.")
    adopted_on: date | None = column("adopted_on", "The day she came home by adoption; null: born into the family.")
    allergies: str | None = column("allergies", "Known allergies.")
    guardian_consents: list[GuardianConsent] = relation(
        "Whether feeding, formula brand and allergies may be kept and used: latest word first, and that one counts.",
        on={"baby_id": "id"},
        order="{t}.given_at DESC, {t}.id DESC",
        first=5,
    )
    stopped_at: datetime | None = column("stopped_at", "Since when nothing about her is said or sent (business clock).")
    provenance: list[Provenance] = computed(
        OF_BABY, "provenance", "Who said each of her fields that says something, when and how sure."
    )
    version: int = column("version", "Grows with every change; updates name the one they saw.")
    stage: BabyStage = computed(STAGES, "stage", "Where she stands today, and what comes next.")
    next_stages: list[NextStage] = computed(
        AHEAD, "next_stages", "Every stage before her with its first day, the nearest first; empty when stopped."
    )
    care_calendar: list[CareDue] = computed(
        AHEAD,
        "care_calendar",
        "What is due for her in the coming months, in the order of days, each once; empty when stopped. By the day and "
        "the schedule of where the family lives.",
        given=_months,
    )
    next_lunar_birthday: date | None = computed(
        AHEAD, "next_lunar_birthday", "Her next birthday by the Chinese calendar; null when unborn or stopped."
    )
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
