"""Feeding profiles: how a baby is fed, with which formula since when, and how many packs are at home."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.people.babies import BabyStopped, Feeding, announce_family, lock_baby, update_baby
from domain.people.failures import BabyNotFound
from domain.people.guardians import GuardianConsentNeeded, health_in, is_allowed
from domain.people.provenance import said_by
from domain.platform.actors import Actor
from domain.platform.clock import business_day
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.roles import Permission
from domain.platform.sources import Source

FORMULA_STAGES = range(1, 5)  # as labels number them
PACKS = range(100)
BRAND_LENGTH = 100
ALLERGIES_LENGTH = 400
NO_FORMULA: dict[str, Any] = {
    "formula_brand": None, "formula_stage": None, "formula_stage_since": None, "packs_at_home": None,
    "packs_counted_on": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FeedingFacts:
    """What somebody says of a baby's feeding; what is None is not spoken of."""

    said_by: Source | None = None  # none: the actor speaks for herself
    feeding: Feeding | None = None
    since: date | None = None  # none: today, where the feeding changes
    formula_brand: str | None = None
    formula_stage: int | None = None
    formula_stage_since: date | None = None  # none: today, where the stage changes
    packs_at_home: int | None = None  # counted today
    allergies: str | None = None


@dataclass(frozen=True, slots=True)
class FeedingReported:
    baby_id: UUID
    household_id: UUID


async def report(
    actor: Actor, baby_id: UUID, facts: FeedingFacts
) -> FeedingReported | BabyNotFound | BabyStopped | GuardianConsentNeeded | NotPermitted | ValidationError:
    """Write down how a baby is fed now. The latest word counts, with its source; BREAST forgets the formula.

    Idempotent. In the family's day. Health data of a child: kept only while a guardian allows it.
    """
    if not actor.may(Permission.WRITE_BABIES):
        return NotPermitted(Permission.WRITE_BABIES)
    given = {
        "feeding": facts.feeding, "formula_brand": facts.formula_brand, "formula_stage": facts.formula_stage,
        "packs_at_home": facts.packs_at_home, "allergies": facts.allergies,
    }  # fmt: skip
    async with in_transaction():
        baby = await lock_baby(actor, baby_id)
        if baby is None:
            return BabyNotFound()
        if baby["stopped_at"] is not None:
            return BabyStopped()
        today = await business_day(baby["time_zone"])
        flaws = _flaws(actor, facts, baby, today)
        if flaws:
            return ValidationError(tuple(flaws))
        health = health_in(given, given)
        if health and not await is_allowed(baby_id):
            return GuardianConsentNeeded(health)
        source = facts.said_by or said_by(actor)
        await update_baby(actor, baby_id, _columns(facts, baby, today) | {"feeding_source": source}, source)
        await announce_family(baby["household_id"])
        return FeedingReported(baby_id, baby["household_id"])


def _flaws(actor: Actor, facts: FeedingFacts, baby: dict[str, Any], today: date) -> list[FieldError]:
    flaws = []
    if facts.said_by is not None and facts.said_by not in (Source.MEMBER, said_by(actor)):
        flaws.append(FieldError("saidBy", "The member, or yourself.", "只能是会员本人或您自己。"))
    spoken = (facts.feeding, facts.formula_brand, facts.formula_stage, facts.packs_at_home, facts.allergies)
    if all(given is None for given in spoken):
        flaws.append(FieldError("feeding", "Say at least one thing: how she is fed, the formula, packs, allergies.",
                                "请至少填写一项：喂养方式、奶粉、家中罐数或过敏。"))  # fmt: skip
    if baby["born_on"] is None:
        flaws.append(
            FieldError("babyId", "She is not born yet: report the birth first.", "宝宝尚未出生，请先登记出生。")
        )
    earliest = baby["born_on"] or today
    for field, day, subject in (
        ("since", facts.since, facts.feeding), ("formulaStageSince", facts.formula_stage_since, facts.formula_stage),
    ):  # fmt: skip
        if day is not None and not earliest <= day <= today:
            flaws.append(FieldError(field, "From the birth until today.", "应在出生日到今天之间。"))
        if day is not None and subject is None:
            flaws.append(FieldError(field, "Say what began on that day, too.", "请同时填写从该日开始的内容。"))
    if facts.formula_stage is not None and facts.formula_stage not in FORMULA_STAGES:
        flaws.append(FieldError("formulaStage", "1 to 4, as on the label.", "1到4段，与罐身标注一致。"))
    if facts.packs_at_home is not None and facts.packs_at_home not in PACKS:
        flaws.append(FieldError("packsAtHome", "0 to 99.", "0到99。"))
    for field, text, most in (
        ("formulaBrand", facts.formula_brand, BRAND_LENGTH), ("allergies", facts.allergies, ALLERGIES_LENGTH),
    ):  # fmt: skip
        if text is not None and not 0 < len(text.strip()) <= most:
            flaws.append(FieldError(field, f"1 to {most} characters.", f"1到{most}个字符。"))
    feeding = facts.feeding or Feeding(baby["feeding"])
    formula = (facts.formula_brand, facts.formula_stage, facts.packs_at_home)
    if feeding is Feeding.BREAST and any(given is not None for given in formula):
        flaws.append(FieldError("feeding", "Breastfed babies have no formula: say MIXED, or leave the formula out.",
                                "纯母乳喂养没有奶粉：请选混合喂养，或不填奶粉。"))  # fmt: skip
    return flaws


def _columns(facts: FeedingFacts, baby: dict[str, Any], today: date) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if facts.feeding is not None:
        is_new = facts.feeding.value != baby["feeding"] or baby["feeding_since"] is None
        columns |= {"feeding": facts.feeding}
        if facts.since is not None or is_new:
            columns |= {"feeding_since": facts.since or today}
        if facts.feeding is Feeding.BREAST:
            columns |= NO_FORMULA
    if facts.formula_brand is not None:
        columns |= {"formula_brand": facts.formula_brand.strip()}
    if facts.formula_stage is not None:
        is_new = facts.formula_stage != baby["formula_stage"]
        columns |= {"formula_stage": facts.formula_stage}
        if facts.formula_stage_since is not None or is_new:
            columns |= {"formula_stage_since": facts.formula_stage_since or today}
    if facts.packs_at_home is not None:
        columns |= {"packs_at_home": facts.packs_at_home, "packs_counted_on": today}
    if facts.allergies is not None:
        columns |= {"allergies": facts.allergies.strip()}
    return columns
