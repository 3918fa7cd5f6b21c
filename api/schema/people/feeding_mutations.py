"""Feeding profiles: what was said of how a baby is fed."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import date
from typing import Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import BabyNotFound, IdempotencyConflict, InProgress, ValidationError
from api.schema.mutations import IdempotencyKey, granted
from api.schema.people.babies_mutations import BabyStopped, Child, GuardianConsentNeeded, SaidBy
from domain.people import babies, failures, feeding, guardians
from domain.people.babies import Feeding
from domain.platform.sources import Source


@strawberry.type(description="It is known how she is fed.")
class FeedingReported:
    baby: Child | None = strawberry.field(description="With her profile.")


ReportFeedingResult = Annotated[
    FeedingReported
    | BabyNotFound
    | BabyStopped
    | GuardianConsentNeeded
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("ReportFeedingResult"),
]


@strawberry.input(description="How a baby is fed now; what is left out stays as it is.")
class ReportFeedingInput:
    baby_id: strawberry.ID = strawberry.field(description="Which baby; she must be born.")
    said_by: SaidBy | None = strawberry.field(default=None, description="Left out: the caller.")
    feeding: Feeding | None = strawberry.field(default=None, description="BREAST forgets the formula.")
    since: date | None = strawberry.field(
        default=None, description="With `feeding`. Left out: today, where it changes."
    )
    formula_brand: str | None = strawberry.field(default=None, description="At most 100 characters.")
    formula_stage: int | None = strawberry.field(default=None, description="1 to 4, as on the label.")
    formula_stage_since: date | None = strawberry.field(
        default=None, description="With `formulaStage`. Left out: today, where it changes."
    )
    packs_at_home: int | None = strawberry.field(default=None, description="Closed packs of formula today, 0 to 99.")
    allergies: str | None = strawberry.field(default=None, description="At most 400 characters.")


@strawberry.type
class FeedingMutations:
    @strawberry.mutation(description="Report how a baby is fed. The latest word counts, with who said it.")
    async def report_feeding(
        self, info: Info, input: ReportFeedingInput, idempotency_key: IdempotencyKey
    ) -> ReportFeedingResult:
        actor, baby = info.context.actor, decode_id("Baby", input.baby_id)
        facts = feeding.FeedingFacts(
            said_by=Source(input.said_by.value) if input.said_by else None,
            feeding=input.feeding,
            since=input.since,
            formula_brand=input.formula_brand,
            formula_stage=input.formula_stage,
            formula_stage_since=input.formula_stage_since,
            packs_at_home=input.packs_at_home,
            allergies=input.allergies,
        )
        return await granted(
            info,
            idempotency_key,
            input,
            (feeding.FeedingReported, failures.BabyNotFound, babies.BabyStopped, guardians.GuardianConsentNeeded),
            lambda: feeding.report(actor, baby, facts),
            lambda _: FeedingReported(baby=project(info, "Baby", baby)),
        )  # fmt: skip
