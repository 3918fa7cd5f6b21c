"""Babies: born or expected, each date with who said so and how sure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.consents import ConsentEvidence, ConsentState
from domain.people.dates import Standing, birth_flaws, due_flaws, stands_against
from domain.people.failures import BabyNotFound, MemberNotFound
from domain.people.guardians import (
    HEALTH,
    GuardianConsentNeeded,
    NotAGuardian,
    health_in,
    is_allowed,
    is_guardian,
    write_guardian_consent,
)
from domain.people.names import name_key
from domain.people.provenance import BABY_FIELDS, CONFIDENCE, may_overwrite, said_by, telling
from domain.people.scopes import GONE, is_in_scope, sees_member
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_day, business_now, real_now
from domain.platform.constraints import one_of, probability
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission
from domain.platform.sources import Source

if TYPE_CHECKING:
    from domain.people.households import Household


class Sex(StrEnum):
    FEMALE = "FEMALE"
    MALE = "MALE"
    UNKNOWN = "UNKNOWN"


class Feeding(StrEnum):
    BREAST = "BREAST"
    MIXED = "MIXED"
    FORMULA = "FORMULA"
    UNKNOWN = "UNKNOWN"


class Baby(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    household: fields.ForeignKeyRelation["Household"] = fields.ForeignKeyField(
        "nestling.Household", related_name="babies", on_delete=fields.RESTRICT
    )
    household_id: UUID
    nickname = fields.CharField(max_length=100, null=True)
    nickname_key = fields.CharField(max_length=200, null=True)  # pinyin or lower case, for search
    sex = fields.CharEnumField(Sex, max_length=16, default=Sex.UNKNOWN)
    due_on = fields.DateField(null=True)
    due_source = fields.CharEnumField(Source, max_length=16, null=True)
    due_confidence = fields.FloatField(null=True)
    born_on = fields.DateField(null=True)
    born_source = fields.CharEnumField(Source, max_length=16, null=True)
    born_confidence = fields.FloatField(null=True)
    gestation_weeks = fields.SmallIntField(null=True)  # completed weeks at birth; null = term or unknown
    # That there is a baby at all: a member says so, or baskets hint at it.
    presence_source = fields.CharEnumField(Source, max_length=16)
    presence_confidence = fields.FloatField(default=1.0)
    feeding = fields.CharEnumField(Feeding, max_length=16, default=Feeding.UNKNOWN)
    feeding_since = fields.DateField(null=True)
    feeding_source = fields.CharEnumField(Source, max_length=16, null=True)  # of all that is said of feeding
    formula_brand = fields.CharField(max_length=100, null=True)
    formula_stage = fields.SmallIntField(null=True)  # as on the label, whatever her age says
    formula_stage_since = fields.DateField(null=True)
    packs_at_home = fields.SmallIntField(null=True)
    packs_counted_on = fields.DateField(null=True)
    adopted_on = fields.DateField(null=True)  # the day she came home; null: born into the family
    allergies = fields.CharField(max_length=400, null=True)
    # Who said what since she was registered, by column; see `provenance`. Dates have columns of their own besides.
    provenance: fields.JSONField[dict[str, Any] | None] = fields.JSONField(null=True)
    # Loss, or "stop baby content": absorbing. Nothing about this baby leaves after it.
    stopped_at = fields.DatetimeField(null=True)  # business clock
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock
    updated_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "babies"
        constraints = [
            one_of("babies", "sex", Sex),
            one_of("babies", "feeding", Feeding),
            one_of("babies", "presence_source", Source),
            probability("babies", "presence_confidence"),
            probability("babies", "due_confidence"),
            probability("babies", "born_confidence"),
            CheckConstraint(name="babies_due_date_has_a_source", check="(due_on IS NULL) = (due_source IS NULL)"),
            CheckConstraint(name="babies_birth_date_has_a_source", check="(born_on IS NULL) = (born_source IS NULL)"),
            CheckConstraint(name="babies_gestation_is_plausible", check="gestation_weeks BETWEEN 20 AND 45"),
            one_of("babies", "feeding_source", Source),
            CheckConstraint(name="babies_formula_stage_is_on_a_label", check="formula_stage BETWEEN 1 AND 4"),
            CheckConstraint(
                name="babies_formula_stage_has_its_day",
                check="(formula_stage IS NULL) = (formula_stage_since IS NULL)",
            ),
            CheckConstraint(
                name="babies_packs_were_counted", check="(packs_at_home IS NULL) = (packs_counted_on IS NULL)"
            ),
            CheckConstraint(name="babies_packs_are_plausible", check="packs_at_home BETWEEN 0 AND 99"),
        ]


MOST_BABIES = 12  # more are a mistake, or somebody after rewards
TEXT_LENGTHS = {"nickname": 100, "formulaBrand": 100, "allergies": 400}


@dataclass(frozen=True, slots=True)
class BabyFacts:
    """What somebody says of a baby; `said_by` is the mother when staff only write down what she says."""

    said_by: Source | None = None  # none: the actor speaks for herself
    nickname: str | None = None
    sex: Sex | None = None
    due_on: date | None = None
    born_on: date | None = None
    gestation_weeks: int | None = None
    feeding: Feeding | None = None
    formula_brand: str | None = None
    allergies: str | None = None
    guardian: ConsentEvidence | None = None  # with a new baby: that its carer allows health data to be kept
    adopted_on: date | None = None  # the day she came home


@dataclass(frozen=True, slots=True)
class BabyAdded:
    baby_id: UUID
    member_id: UUID


@dataclass(frozen=True, slots=True)
class BabyReported:
    baby_id: UUID
    household_id: UUID


@dataclass(frozen=True, slots=True)
class StrongerSource:
    """Somebody whose word counts more has said this date; ask her, and report it as hers."""

    field: str
    source: Source


@dataclass(frozen=True, slots=True)
class BabyStopped:
    """Content about this baby was stopped; nothing reopens it."""


async def add(
    actor: Actor, member_id: UUID, facts: BabyFacts
) -> BabyAdded | GuardianConsentNeeded | NotAGuardian | MemberNotFound | NotPermitted | ValidationError:
    """A baby of the member's household, expected (due date) or born (birth date), each date with its source.

    What says something of the child's health is kept only with a guardian's consent, given in the same breath.
    """
    if not actor.may(Permission.WRITE_BABIES):
        return NotPermitted(Permission.WRITE_BABIES)
    async with in_transaction():
        if not await is_in_scope(actor, member_id):
            return MemberNotFound()
        rows = await connection().execute_query_dict(
            "SELECT h.id AS household_id, m.time_zone FROM members m JOIN households h ON h.id = m.household_id "
            "WHERE m.id = $1 FOR NO KEY UPDATE OF h",
            [member_id],
        )
        flaws = _flaws(actor, facts, Standing(), await business_day(rows[0]["time_zone"]))
        if facts.due_on is None and facts.born_on is None:
            flaws.append(FieldError("bornOn", "A due date or a birth date is needed."))
        if flaws:
            return ValidationError(tuple(flaws))
        if await _is_full(rows[0]["household_id"]):
            return ValidationError.of("memberId", f"A household has at most {MOST_BABIES} babies.")
        source = facts.said_by or said_by(actor)
        health = _health(facts)
        if health and facts.guardian is None:
            return GuardianConsentNeeded(health)
        if facts.guardian is not None and not await is_guardian(member_id):
            return NotAGuardian()
        baby_id = new_id()
        values = _columns(facts, source) | {
            "id": baby_id, "household_id": rows[0]["household_id"], "presence_source": source,
            "presence_confidence": CONFIDENCE[source],
        }  # fmt: skip
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await connection().execute_query(
            f"INSERT INTO babies ({', '.join(values)}) VALUES ({places})", list(values.values())
        )
        if facts.guardian is not None:
            await _allow(actor, baby_id, member_id, facts.guardian)
        await announce_family(rows[0]["household_id"])
        return BabyAdded(baby_id, member_id)


async def report(
    actor: Actor, baby_id: UUID, facts: BabyFacts
) -> (
    BabyReported | BabyNotFound | BabyStopped | StrongerSource | GuardianConsentNeeded | NotPermitted | ValidationError
):
    """Report a due date or a birth (and what came with it) of a known baby.

    A stronger source's date stands; the actor learns whose. A report confirms a baby that was only guessed.
    """
    if not actor.may(Permission.WRITE_BABIES):
        return NotPermitted(Permission.WRITE_BABIES)
    async with in_transaction():
        baby = await lock_baby(actor, baby_id)
        if baby is None:
            return BabyNotFound()
        if baby["stopped_at"] is not None:
            return BabyStopped()
        standing = Standing(baby["due_on"], _source(baby["due_source"]), baby["born_on"], _source(baby["born_source"]))
        flaws = _flaws(actor, facts, standing, await business_day(baby["time_zone"]))
        if flaws:
            return ValidationError(tuple(flaws))
        source = facts.said_by or said_by(actor)
        for field, given, before in (
            ("dueOn", facts.due_on, standing.due_source), ("bornOn", facts.born_on, standing.born_source),
        ):  # fmt: skip
            stronger = stands_against(source, before) if given is not None else None
            if stronger is not None:
                return StrongerSource(field, stronger)
        values = _columns(facts, source)
        health = _health(facts)
        if health and not await is_allowed(baby_id):
            return GuardianConsentNeeded(health)
        if may_overwrite(source, _source(baby["presence_source"])):
            values |= {"presence_source": source, "presence_confidence": CONFIDENCE[source]}
        await update_baby(actor, baby_id, values, source)
        await announce_family(baby["household_id"])
        return BabyReported(baby_id, baby["household_id"])


def _flaws(actor: Actor, facts: BabyFacts, standing: Standing, today: date) -> list[FieldError]:
    flaws = []
    if facts.said_by is not None and facts.said_by not in (Source.MEMBER, said_by(actor)):
        flaws.append(FieldError("saidBy", "The member, or yourself."))
    if facts.due_on is not None:
        flaws += due_flaws(facts.due_on, today)
    if facts.born_on is not None:
        if facts.due_on is not None:
            standing = Standing(due_on=facts.due_on, due_source=Source.MEMBER)
            flaws = [flaw for flaw in flaws if flaw.field != "dueOn"]  # an old due date beside its birth is history
        flaws += birth_flaws(facts.born_on, facts.gestation_weeks, standing, today)
    elif facts.gestation_weeks is not None:
        flaws.append(FieldError("gestationWeeks", "Weeks at birth need the birth date."))
    if facts.adopted_on is not None and (facts.born_on is None or not facts.born_on <= facts.adopted_on <= today):
        flaws.append(FieldError("adoptedOn", "The day she came home: from her birth, which is needed, until today."))
    texts = {"nickname": facts.nickname, "formulaBrand": facts.formula_brand, "allergies": facts.allergies}
    for field, text in texts.items():
        if text is not None and not 0 < len(text.strip()) <= TEXT_LENGTHS[field]:
            flaws.append(FieldError(field, f"1 to {TEXT_LENGTHS[field]} characters."))
    if facts.guardian is not None and (flaw := facts.guardian.flaw(ConsentState.GRANTED)) is not None:
        flaws += [
            FieldError(f"guardianConsent.{error.field}", error.message, error.message_zh) for error in flaw.errors
        ]
    return flaws


def _columns(facts: BabyFacts, source: Source) -> dict[str, Any]:
    """The columns that the facts speak of; those not mentioned are left out."""
    sure = CONFIDENCE[source]
    columns: dict[str, Any] = {}
    if facts.due_on is not None:
        columns |= {"due_on": facts.due_on, "due_source": source, "due_confidence": sure}
    if facts.born_on is not None:
        columns |= {"born_on": facts.born_on, "born_source": source, "born_confidence": sure}
    if facts.nickname is not None:
        columns |= {"nickname": facts.nickname.strip(), "nickname_key": name_key(facts.nickname)}
    plain = {
        "gestation_weeks": facts.gestation_weeks, "sex": facts.sex, "feeding": facts.feeding,
        "formula_brand": facts.formula_brand, "allergies": facts.allergies, "adopted_on": facts.adopted_on,
    }  # fmt: skip
    return columns | {name: value for name, value in plain.items() if value is not None}


def _health(facts: BabyFacts) -> tuple[str, ...]:
    given = {name: getattr(facts, name, None) for name in HEALTH}
    return health_in(given, given)


async def _allow(actor: Actor, baby_id: UUID, member_id: UUID, evidence: ConsentEvidence) -> None:
    await write_guardian_consent(
        baby_id, member_id, ConsentState.GRANTED, evidence, source=said_by(actor), now=await business_now(),
        recorded_by=actor.account_id,
    )  # fmt: skip


async def _is_full(household_id: UUID) -> bool:
    rows = await connection().execute_query_dict(
        "SELECT count(*) AS babies FROM babies WHERE household_id = $1", [household_id]
    )
    return bool(rows[0]["babies"] >= MOST_BABIES)


async def lock_baby(actor: Actor, baby_id: UUID) -> dict[str, Any] | None:
    """The baby's row, locked, if the actor may see somebody of her household. Part of the caller's transaction."""
    parameters = Parameters()
    rows = await connection().execute_query_dict(
        f"SELECT b.*, (SELECT m.time_zone FROM members m WHERE m.household_id = b.household_id "
        f"AND m.merged_into_id IS NULL ORDER BY m.id LIMIT 1) AS time_zone FROM babies b "
        f"WHERE b.id = {parameters(baby_id)} "
        f"AND EXISTS (SELECT 1 FROM members m WHERE m.household_id = b.household_id AND m.status NOT IN {GONE} "
        f"AND {sees_member(actor, parameters)}) FOR UPDATE OF b",
        parameters,
    )
    return rows[0] if rows else None


async def update_baby(actor: Actor, baby_id: UUID, values: dict[str, Any], source: Source) -> None:
    """Write columns of a baby that is locked; her version grows. Part of the caller's transaction."""
    parameters = Parameters()
    columns = "".join(f"{column} = {parameters(value)}, " for column, value in values.items())
    columns += f"{telling([one for one in BABY_FIELDS if one in values], source, actor, parameters)}, "
    await connection().execute_query(
        f"UPDATE babies SET {columns}version = version + 1, updated_at = {parameters(real_now())} "
        f"WHERE id = {parameters(baby_id)}",
        parameters,
    )


async def announce_family(household_id: UUID) -> None:
    """Every carer's page shows the baby."""
    carers = await connection().execute_query_dict("SELECT id FROM members WHERE household_id = $1", [household_id])
    for carer in carers:
        await announce(MEMBER_TIMELINE, carer["id"])


def _source(name: str | None) -> Source | None:
    return Source(name) if name else None
