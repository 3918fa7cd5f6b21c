"""Computed values told a second time, by the domain's pure words: stages, reasons, what a task says."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from api.schema.people.provenance import name_of
from domain.commerce.products import FormulaClass
from domain.insight.reasons import say_all
from domain.outreach.call_reasons import say_why
from domain.outreach.next_needs import next_need
from domain.people.provenance import Told, of_baby, of_member
from domain.stages.engine import BabyDates, read
from domain.stages.wording import say, stage_name
from tests.api.differential.builder import NOON, Row
from tests.api.differential.world import World


def _stage(_: World, baby: Row, language: str) -> dict[str, Any]:
    today = NOON.date()
    found = read(BabyDates(baby["born_on"], baby["due_on"], baby["gestation_weeks"]), today)
    following = found.next_stage
    return {
        "stage": found.stage.value, "name": stage_name(found.stage, language), "careStage": found.care_stage.value,
        "age": say(found, language), "week": found.week, "ageMonths": found.age.months if found.age else None,
        "formulaStage": found.formula_stage, "nextFormulaStage": found.next_formula_stage,
        "next": following and {
            "stage": following.value, "name": stage_name(following, language), "on": found.next_stage_on,
        },
        "nextFormulaStageOn": found.next_formula_stage_on, "whyUnknown": found.why_unknown, "on": today,
        "rulesVersion": found.rules_version,
    }  # fmt: skip


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


COMPUTED: dict[str, Callable[[World, Row, str], Any]] = {
    "Baby.stage": _stage,
    "Baby.provenance": _told(of_baby),
    "Member.provenance": _told(of_member),
    "CallbackTask.why": _why,
    "CallbackTask.talkingPoints": _points,
    "Score.reasons": lambda _, score, language: say_all(score["reasons"], language),
    "Score.nextNeed": _need,
}
