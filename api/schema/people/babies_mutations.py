"""Babies: adding one, and what was said of her dates."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import BabyNotFound, Failure, IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, granted, translates
from domain.people import babies, failures, guardian_consents, guardians
from domain.people.babies import BabyFacts, Feeding, Sex
from domain.people.consents import ConsentEvidence, ConsentState
from domain.platform.sources import Source

if TYPE_CHECKING:
    from api.schema.people.babies import Baby
    from api.schema.people.members import Member

Child = Annotated["Baby", strawberry.lazy("api.schema.people.babies")]


@strawberry.enum(description="Whose word it is that the caller writes down. The mother's outlasts the staff's.")
class SaidBy(StrEnum):
    MEMBER = "MEMBER"
    STAFF = "STAFF"


@strawberry.type(description="The baby belongs to the household.")
class BabyAdded:
    baby: Child | None = strawberry.field(description="With her stage.")
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="Her carer."
    )


@strawberry.type(description="The due date is known.")
class DueDateReported:
    baby: Child | None = strawberry.field(description="With her stage.")


@strawberry.type(description="The birth is known.")
class BirthReported:
    baby: Child | None = strawberry.field(description="With her stage.")


@strawberry.type(description="Somebody whose word counts more has said this date.")
class StrongerSource(Failure):
    field: str = strawberry.field(description="The input whose date stands: `dueOn` or `bornOn`.")
    source: Source = strawberry.field(description="Who said it.")


@strawberry.type(description="Content about this baby was stopped; nothing reopens it.")
class BabyStopped(Failure):
    pass


@strawberry.type(description="A guardian has to allow that these are kept: they say something of a child's health.")
class GuardianConsentNeeded(Failure):
    fields: list[str] = strawberry.field(description="The inputs that need it.")


@strawberry.type(description="A nanny or another helper cannot allow it: ask a parent or legal guardian.")
class NotAGuardian(Failure):
    pass


AddBabyResult = Annotated[
    BabyAdded
    | GuardianConsentNeeded
    | NotAGuardian
    | MemberNotFound
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("AddBabyResult"),
]
ReportDueDateResult = Annotated[
    DueDateReported | BabyNotFound | BabyStopped | StrongerSource | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("ReportDueDateResult"),
]
ReportBirthResult = Annotated[
    BirthReported | BabyNotFound | BabyStopped | StrongerSource | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("ReportBirthResult"),
]


@strawberry.type(description="What the guardian said is recorded and binds from now.")
class GuardianConsentRecorded:
    baby: Child | None = strawberry.field(description="As she is known now: a withdrawal empties her health data.")


@strawberry.input(description="That the carer, a parent or legal guardian, allows a child's health data to be kept.")
class GuardianConsentInput:
    how: str = strawberry.field(description="Where it was said: store_form, call, mini_program, ...")
    text_version: str = strawberry.field(description="Which wording she saw.")
    text: str = strawberry.field(description="The wording itself; its hash is kept.")


@strawberry.input(description="What a guardian allows, or no longer allows, of a child's health data.")
class RecordGuardianConsentInput:
    baby_id: strawberry.ID = strawberry.field(description="Which child.")
    member_id: strawberry.ID = strawberry.field(description="The guardian: a carer of her household, no nanny.")
    state: ConsentState = strawberry.field(description="Given or withdrawn.")
    how: str = strawberry.field(description="Where it was said: store_form, call, mini_program, ...")
    text_version: str = strawberry.field(default="", description="Which wording she saw; a grant needs it.")
    text: str = strawberry.field(default="", description="The wording itself; a grant needs it. Its hash is kept.")
    store_id: strawberry.ID | None = strawberry.field(default=None, description="Where, if in a store.")


@strawberry.input(description="A baby, expected or born; one of the two dates is needed.")
class AddBabyInput:
    member_id: strawberry.ID = strawberry.field(description="Her carer.")
    due_on: date | None = strawberry.field(default=None, description="Due date.")
    born_on: date | None = strawberry.field(default=None, description="Birth date.")
    said_by: SaidBy | None = strawberry.field(default=None, description="Left out: the caller.")
    nickname: str | None = strawberry.field(default=None, description="At most 100 characters.")
    sex: Sex | None = strawberry.field(default=None, description="Where it was told.")
    gestation_weeks: int | None = strawberry.field(default=None, description="Completed weeks at birth, 20 to 45.")
    feeding: Feeding | None = strawberry.field(default=None, description="How she is fed.")
    formula_brand: str | None = strawberry.field(default=None, description="At most 100 characters.")
    allergies: str | None = strawberry.field(default=None, description="At most 400 characters.")
    guardian_consent: GuardianConsentInput | None = strawberry.field(
        default=None, description="Needed with feeding, formula brand or allergies."
    )
    adopted_on: date | None = strawberry.field(
        default=None, description="Of an adopted child, the day she came home; with `bornOn`."
    )


@strawberry.input(description="A due date, new or moved.")
class ReportDueDateInput:
    baby_id: strawberry.ID = strawberry.field(description="Which baby.")
    due_on: date = strawberry.field(description="From 42 days ago to 294 days ahead.")
    said_by: SaidBy | None = strawberry.field(default=None, description="Left out: the caller.")


@strawberry.input(description="A birth.")
class ReportBirthInput:
    baby_id: strawberry.ID = strawberry.field(description="Which baby.")
    born_on: date = strawberry.field(description="Not in the future, where the family lives.")
    said_by: SaidBy | None = strawberry.field(default=None, description="Left out: the caller.")
    gestation_weeks: int | None = strawberry.field(default=None, description="Completed weeks at birth, 20 to 45.")
    sex: Sex | None = strawberry.field(default=None, description="Where it was told.")
    nickname: str | None = strawberry.field(default=None, description="At most 100 characters.")


RecordGuardianConsentResult = Annotated[
    GuardianConsentRecorded | NotAGuardian | BabyNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("RecordGuardianConsentResult"),
]
REPORT_ANSWERS = (babies.BabyReported, failures.BabyNotFound, babies.BabyStopped, babies.StrongerSource)


@strawberry.type
class BabyMutations:
    @strawberry.mutation(description="Add a baby to the member's household. Twins are two babies.")
    async def add_baby(self, info: Info, input: AddBabyInput, idempotency_key: IdempotencyKey) -> AddBabyResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        facts = BabyFacts(
            said_by=_source(input.said_by),
            nickname=input.nickname,
            sex=input.sex,
            due_on=input.due_on,
            born_on=input.born_on,
            gestation_weeks=input.gestation_weeks,
            feeding=input.feeding,
            formula_brand=input.formula_brand,
            allergies=input.allergies,
            guardian=_evidence(input.guardian_consent),
            adopted_on=input.adopted_on,
        )
        return await granted(
            info, idempotency_key, input, (babies.BabyAdded, guardians.GuardianConsentNeeded, guardians.NotAGuardian),
            lambda: babies.add(actor, member, facts),
            lambda added: BabyAdded(baby=project(info, "Baby", added.baby_id), member=project(info, "Member", member)),
        )  # fmt: skip

    @strawberry.mutation(
        description="Record what a guardian allows, or no longer allows, of a child's health data (feeding, formula "
        "brand, allergies). The latest word of any guardian counts; a withdrawal empties what was kept."
    )
    async def record_guardian_consent(
        self, info: Info, input: RecordGuardianConsentInput, idempotency_key: IdempotencyKey
    ) -> RecordGuardianConsentResult:
        actor, baby, guardian = (
            info.context.actor, decode_id("Baby", input.baby_id), decode_id("Member", input.member_id)
        )  # fmt: skip
        store = decode_id("Store", input.store_id) if input.store_id is not None else None
        evidence = ConsentEvidence(input.how, input.text_version, input.text, store)
        return await granted(
            info, idempotency_key, input,
            (guardian_consents.GuardianConsentRecorded, guardians.NotAGuardian, failures.BabyNotFound),
            lambda: guardian_consents.record(actor, baby, guardian, input.state, evidence),
            lambda _: GuardianConsentRecorded(baby=project(info, "Baby", baby)),
        )  # fmt: skip

    @strawberry.mutation(description="Report a due date. A stronger source's date stands; a guessed baby is confirmed.")
    async def report_due_date(
        self, info: Info, input: ReportDueDateInput, idempotency_key: IdempotencyKey
    ) -> ReportDueDateResult:
        actor, baby = info.context.actor, decode_id("Baby", input.baby_id)
        facts = BabyFacts(said_by=_source(input.said_by), due_on=input.due_on)
        return await granted(
            info, idempotency_key, input, REPORT_ANSWERS,
            lambda: babies.report(actor, baby, facts),
            lambda _: DueDateReported(baby=project(info, "Baby", baby)),
        )  # fmt: skip

    @strawberry.mutation(description="Report a birth. A stronger source's date stands; a guessed baby is confirmed.")
    async def report_birth(
        self, info: Info, input: ReportBirthInput, idempotency_key: IdempotencyKey
    ) -> ReportBirthResult:
        actor, baby = info.context.actor, decode_id("Baby", input.baby_id)
        facts = BabyFacts(
            said_by=_source(input.said_by),
            born_on=input.born_on,
            gestation_weeks=input.gestation_weeks,
            sex=input.sex,
            nickname=input.nickname,
        )
        return await granted(
            info, idempotency_key, input, REPORT_ANSWERS,
            lambda: babies.report(actor, baby, facts),
            lambda _: BirthReported(baby=project(info, "Baby", baby)),
        )  # fmt: skip


def _source(said_by: SaidBy | None) -> Source | None:
    return Source(said_by.value) if said_by is not None else None


@translates(babies.StrongerSource)
def _stronger_source(failure: babies.StrongerSource) -> StrongerSource:
    who = failure.source.value.lower()
    return StrongerSource(
        message=f"This date was said by a stronger source ({who}).", field=failure.field, source=failure.source
    )


@translates(babies.BabyStopped)
def _baby_stopped(_: babies.BabyStopped) -> BabyStopped:
    return BabyStopped(message="Content about this baby was stopped. Please do not ask about it.")


def _evidence(given: GuardianConsentInput | None) -> ConsentEvidence | None:
    return ConsentEvidence(given.how, given.text_version, given.text) if given is not None else None


@translates(guardians.GuardianConsentNeeded)
def _guardian_consent_needed(failure: guardians.GuardianConsentNeeded) -> GuardianConsentNeeded:
    words = {
        "feeding": "feeding", "formula_brand": "formulaBrand", "formula_stage": "formulaStage",
        "packs_at_home": "packsAtHome", "allergies": "allergies",
    }  # fmt: skip
    return GuardianConsentNeeded(
        message="A parent or legal guardian has to allow that this is kept.",
        fields=[words[name] for name in failure.fields],
    )


@translates(guardians.NotAGuardian)
def _not_a_guardian(_: guardians.NotAGuardian) -> NotAGuardian:
    return NotAGuardian(message="Ask a parent or legal guardian.")
