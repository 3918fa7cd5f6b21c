"""Erasures: a key for who is sure, then nobody is left."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.schema.failures import Failure, IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, SecretKey, granted, granted_anew, translates
from domain.people import erasures
from domain.people.erasures import ErasureReason


@strawberry.type(description="Nothing is erased yet: show what would go, and send the key back by `eraseMember`.")
class ErasureRequested:
    confirmation_key: str = strawberry.field(description="Confirms it, once; shown once.")
    expires_at: datetime = strawberry.field(description="15 minutes from now (real clock).")
    babies: int = strawberry.field(description="Babies that go with her: nobody else looks after them.")
    orders: int = strawberry.field(description="Orders that stay, as sales to nobody we know.")
    waiting_messages: int = strawberry.field(description="Messages that will not leave.")


@strawberry.type(description="Nobody is in her row any more, and neither files nor replays bring her back.")
class MemberErased:
    erasure_id: strawberry.ID = strawberry.field(description="The number of this erasure, for whoever asks for proof.")
    withdrawn_messages: int = strawberry.field(description="Messages that were waiting to leave.")
    withdrawn_calls: int = strawberry.field(description="Call-backs that were open or taken.")
    erased_babies: int = strawberry.field(description="Babies that went with her.")
    kept_orders: int = strawberry.field(description="Orders that stay without a person.")


@strawberry.type(description="The key was used, is not this member's, or is older than 15 minutes: ask for another.")
class ConfirmationNotValid(Failure):
    pass


RequestErasureResult = Annotated[
    ErasureRequested | MemberNotFound | ValidationError | IdempotencyConflict,
    strawberry.union("RequestErasureResult"),
]
EraseMemberResult = Annotated[
    MemberErased | ConfirmationNotValid | MemberNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("EraseMemberResult"),
]


@strawberry.input(description="Whom to erase.")
class RequestErasureInput:
    member_id: strawberry.ID = strawberry.field(description="Who; a member herself alone.")
    reason: ErasureReason | None = strawberry.field(default=None, description="Why; an operator has to say it.")
    reference: str = strawberry.field(
        default="", description="Number of the letter or ticket, 1 to 40 letters and digits; never a name or a phone."
    )


@strawberry.input(description="The second step.")
class EraseMemberInput:
    member_id: strawberry.ID = strawberry.field(description="Who.")
    confirmation_key: str = strawberry.field(description="As `requestErasure` gave it.")


@strawberry.type
class ErasureMutations:
    @strawberry.mutation(
        description="The first step of an erasure, by the member herself or an operator: a key for the second, and "
        "what would go. Each time a new key; older ones stay valid for their 15 minutes."
    )
    async def request_erasure(
        self, info: Info, input: RequestErasureInput, idempotency_key: SecretKey
    ) -> RequestErasureResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        return await granted_anew(
            info, idempotency_key, input,
            lambda: erasures.ask(actor, member, input.reason, input.reference),
            lambda asked: ErasureRequested(
                confirmation_key=asked.key,
                expires_at=asked.expires_at,
                babies=asked.babies,
                orders=asked.orders,
                waiting_messages=asked.messages,
            ),
        )  # fmt: skip

    @strawberry.mutation(
        description="Erase a member for good, in one transaction: names, contacts, consents, words, scores, calls and "
        "tokens go, babies too when no other carer is left; orders stay without a person, suppressions as keyed hashes."
    )
    async def erase_member(
        self, info: Info, input: EraseMemberInput, idempotency_key: IdempotencyKey
    ) -> EraseMemberResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        return await granted(
            info, idempotency_key, input, (erasures.MemberErased, erasures.KeyNotValid),
            lambda: erasures.erase(actor, member, input.confirmation_key),
            lambda erased: MemberErased(
                erasure_id=strawberry.ID(str(erased.erasure_id)),
                withdrawn_messages=erased.messages,
                withdrawn_calls=erased.calls,
                erased_babies=erased.babies,
                kept_orders=erased.orders,
            ),
        )  # fmt: skip


@translates(erasures.KeyNotValid)
def _key_not_valid(_: erasures.KeyNotValid) -> ConfirmationNotValid:
    return ConfirmationNotValid(message="This key is not valid any more. Ask for a new one.")
