"""Losses: one word stops everything about a baby; a supervisor takes a mistake back."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import BabyNotFound, Failure, IdempotencyConflict, InProgress, ValidationError
from api.schema.mutations import IdempotencyKey, granted, translates
from api.schema.people.babies_mutations import SaidBy
from domain.care import losses
from domain.people import failures
from domain.platform.sources import Source

if TYPE_CHECKING:
    from api.schema.people.babies import Baby

Child = Annotated["Baby", strawberry.lazy("api.schema.people.babies")]


@strawberry.type(description="Nothing about this baby is said, sent, called or scored any more. Said twice, it is one.")
class BabyContentStopped:
    baby: Child | None = strawberry.field(description="With the moment since when.")
    withdrawn_messages: int = strawberry.field(description="Messages that were waiting, to any carer of the family.")
    withdrawn_calls: int = strawberry.field(description="Call-backs that were open.")
    withdrawn_scores: int = strawberry.field(description="Scores about what babies need.")
    reopen_until: datetime = strawberry.field(
        description="Until when a supervisor can take a mistake back (real clock)."
    )


@strawberry.type(description="The stop was a mistake; what it withdrew does not come back.")
class BabyContentReopened:
    baby: Child | None = strawberry.field(description="As she is known again.")


@strawberry.type(description="Nothing is stopped, or the day in which a mistake can be taken back is over.")
class ReopenTooLate(Failure):
    until: datetime | None = strawberry.field(description="When it was over (real clock); null: nothing is stopped.")


StopBabyContentResult = Annotated[
    BabyContentStopped | BabyNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("StopBabyContentResult"),
]
ReopenBabyContentResult = Annotated[
    BabyContentReopened | ReopenTooLate | BabyNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("ReopenBabyContentResult"),
]


@strawberry.input(description="A loss, or any wish to hear nothing about a baby. Why is never asked.")
class StopBabyContentInput:
    baby_id: strawberry.ID = strawberry.field(description="Which baby.")
    said_by: SaidBy | None = strawberry.field(default=None, description="Left out: the caller.")


@strawberry.input(description="A correction.")
class ReopenBabyContentInput:
    baby_id: strawberry.ID = strawberry.field(description="Which baby.")
    reason: str = strawberry.field(description="Why it was a mistake: 1 to 400 characters, kept with the audit.")


@strawberry.type
class LossMutations:
    @strawberry.mutation(
        description="Stop everything about a baby at once: waiting messages, open calls and scores are withdrawn, and "
        "neither reports nor imports bring it back."
    )
    async def stop_baby_content(
        self, info: Info, input: StopBabyContentInput, idempotency_key: IdempotencyKey
    ) -> StopBabyContentResult:
        actor, baby = info.context.actor, decode_id("Baby", input.baby_id)
        source = Source(input.said_by.value) if input.said_by is not None else None
        return await granted(
            info, idempotency_key, input, (losses.BabyContentStopped, failures.BabyNotFound),
            lambda: losses.stop(actor, baby, source),
            lambda stopped: BabyContentStopped(
                baby=project(info, "Baby", baby),
                withdrawn_messages=stopped.messages,
                withdrawn_calls=stopped.calls,
                withdrawn_scores=stopped.scores,
                reopen_until=stopped.reopen_until,
            ),
        )  # fmt: skip

    @strawberry.mutation(description="Take back, within 24 hours, that content about a baby was stopped. Supervisors.")
    async def reopen_baby_content(
        self, info: Info, input: ReopenBabyContentInput, idempotency_key: IdempotencyKey
    ) -> ReopenBabyContentResult:
        actor, baby = info.context.actor, decode_id("Baby", input.baby_id)
        return await granted(
            info, idempotency_key, input,
            (losses.BabyContentReopened, losses.ReopenTooLate, failures.BabyNotFound),
            lambda: losses.reopen(actor, baby, input.reason),
            lambda _: BabyContentReopened(baby=project(info, "Baby", baby)),
        )  # fmt: skip


@translates(losses.ReopenTooLate)
def _reopen_too_late(failure: losses.ReopenTooLate) -> ReopenTooLate:
    words = "The day is over." if failure.until else "Nothing is stopped for this baby."
    return ReopenTooLate(message=words, until=failure.until)
