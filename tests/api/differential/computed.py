"""Computed values told a second time, by the domain's pure words: stages, reasons, what a task says."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.schema.people.provenance import name_of
from domain.commerce.products import FormulaClass
from domain.insight.reasons import say_all
from domain.outreach.call_reasons import say_why
from domain.outreach.festivals import feasts
from domain.outreach.next_needs import next_need
from domain.people.provenance import Told, of_baby, of_member
from domain.stages.care_calendar import care_calendar, coming_stages
from domain.stages.engine import BabyDates, read
from domain.stages.lunar import next_lunar_birthday
from domain.stages.wording import say, stage_name
from tests.api.differential.builder import NOON, Row
from tests.api.differential.world import World


def _stage(_: World, baby: Row, language: str) -> dict[str, Any]:
    today = NOON.date()
    said = (baby["born_on"], baby["due_on"], baby["gestation_weeks"]) if baby["stopped_at"] is None else (None,) * 3
    found = read(BabyDates(*said), today)
    following = found.next_stage
    return {
        "stage": found.stage.value, "name": stage_name(found.stage, language), "careStage": found.care_stage.value,
        "age": say(found, language), "week": found.week, "ageMonths": found.age.months if found.age else None,
        "formulaStage": found.formula_stage, "nextFormulaStage": found.next_formula_stage,
        "next": following and {
            "stage": following.value, "name": stage_name(following, language), "on": found.next_stage_on,
            "isExpected": found.age is None,
        },
        "nextFormulaStageOn": found.next_formula_stage_on, "whyUnknown": found.why_unknown, "on": today,
        "rulesVersion": found.rules_version,
    }  # fmt: skip


def _home(world: World, baby: Row) -> tuple[date, str]:
    """The family's day and country: her first carer's."""
    carers = world.rows("members", "household_id", baby["household_id"])
    first = min(carers, key=lambda row: row["id"], default=None)
    zone, region = (first["time_zone"], first["jurisdiction"]) if first else ("UTC", "")
    return NOON.astimezone(ZoneInfo(zone)).date(), region


def _next_stages(world: World, baby: Row, language: str) -> list[dict[str, Any]]:
    dates, (on, _) = BabyDates(baby["born_on"], baby["due_on"], baby["gestation_weeks"]), _home(world, baby)
    coming = coming_stages(dates, on) if baby["stopped_at"] is None else []
    return [
        {
            "stage": one.stage.value, "name": stage_name(one.stage, language), "on": one.on,
            "isExpected": one.is_expected,
        }
        for one in coming
    ]  # fmt: skip


def _care_calendar(world: World, baby: Row, language: str, months: int) -> list[dict[str, Any]]:
    dates, (on, region) = BabyDates(baby["born_on"], baby["due_on"], baby["gestation_weeks"]), _home(world, baby)
    due = care_calendar(dates, region, on, months) if baby["stopped_at"] is None else []
    return [
        {
            "code": one.key, "kind": one.item.kind.value, "title": one.item.en if language == "en" else one.item.zh,
            "on": one.on, "opensOn": one.opens_on, "closesOn": one.closes_on, "basis": one.item.basis.value,
            "purpose": one.item.purpose.value, "channels": [channel.value for channel in one.item.channels],
            "isExpected": one.is_expected, "source": one.item.source, "planVersion": one.plan_version,
        }
        for one in due
    ]  # fmt: skip


def _lunar_birthday(world: World, baby: Row, _: str) -> date | None:
    on, _region = _home(world, baby)
    if baby["stopped_at"] is not None or baby["born_on"] is None or baby["born_on"] > on:
        return None
    return next_lunar_birthday(baby["born_on"], on)


def _festivals(_: World, _viewer: Row, language: str, **given: date) -> list[dict[str, Any]]:
    return [
        {
            "code": one.festival.code, "name": one.festival.en if language == "en" else one.festival.zh, "on": one.on,
            "isSensitive": one.festival.is_sensitive,
        }
        for one in feasts(given["from"], given["to"])
    ]  # fmt: skip


def _why(world: World, task: Row, language: str) -> str:
    bought = [order["ordered_at"] for order in world.rows("orders", "member_id", task["member_id"])]
    latest = max((at for at in bought if at <= NOON), default=None)
    return say_why(task["reason_code"], task["reason"], language, NOON.date(), latest)


def _points(_: World, task: Row, language: str) -> list[dict[str, str]]:
    return [
        {"kind": point["kind"], "code": point["code"], "text": point.get(language, point["en"])}
        for point in task["talking_points"]
    ]


def _need(world: World, score: Row, language: str) -> str | None:
    shelf = [row for row in world.rows("products", "category", score["category"]) if row["is_merchandise"]]
    is_for_babies = 2 * sum(row["baby_class"] != "NONE" for row in shelf) > len(shelf)
    return next_need(score["category"], is_for_babies, {FormulaClass(row["formula_class"]) for row in shelf}, language)


def _told(of: Callable[[Row], list[Told]]) -> Callable[[World, Row, str], list[dict[str, Any]]]:
    def value(_world: World, row: Row, _language: str) -> list[dict[str, Any]]:
        return [
            {
                "field": name_of(told.column), "source": told.source.value, "confidence": told.confidence,
                "at": told.at if isinstance(told.at, datetime) else datetime.fromisoformat(told.at),
                "recordedBy": f"Staff:{told.by}" if told.by else None,
            }
            for told in of(row)
        ]  # fmt: skip

    return value


COMPUTED: dict[str, Callable[..., Any]] = {  # (world, row, language, **arguments)
    "Baby.stage": _stage,
    "Baby.nextStages": _next_stages,
    "Baby.careCalendar": _care_calendar,
    "Baby.nextLunarBirthday": _lunar_birthday,
    "Viewer.festivals": _festivals,
    "Baby.provenance": _told(of_baby),
    "Member.provenance": _told(of_member),
    "CallbackTask.why": _why,
    "CallbackTask.talkingPoints": _points,
    "Score.reasons": lambda _, score, language: say_all(score["reasons"], language),
    "Score.nextNeed": _need,
}
