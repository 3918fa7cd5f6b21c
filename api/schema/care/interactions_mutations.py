"""Writing down what passed between a member and us."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import BabyNotFound, IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, granted
from domain.care import interactions
from domain.care.interactions import Direction, InteractionKind, Note
from domain.people import failures
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from api.schema.care.interactions import Interaction
    from api.schema.people.members import Member


@strawberry.type(description="It is on her timeline.")
class InteractionLogged:
    interaction: Annotated["Interaction", strawberry.lazy("api.schema.care.interactions")] | None = strawberry.field(
        description="As written down."
    )
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="With whom."
    )


LogInteractionResult = Annotated[
    InteractionLogged | MemberNotFound | BabyNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("LogInteractionResult"),
]


@strawberry.input(description="A visit, call, chat, question or note. A note or a topic is needed.")
class LogInteractionInput:
    member_id: strawberry.ID = strawberry.field(description="With whom.")
    kind: InteractionKind = strawberry.field(description="What kind of word.")
    channel: Channel = strawberry.field(description="On which way.")
    direction: Direction = strawberry.field(default=Direction.INBOUND, description="Who spoke.")
    topic: str = strawberry.field(default="", description="In a word or two: at most 100 characters.")
    note: str = strawberry.field(default="", description="What was said: at most 4,000 characters.")
    baby_id: strawberry.ID | None = strawberry.field(default=None, description="About which of her children.")
    occurred_at: datetime | None = strawberry.field(default=None, description="Business clock; left out: now.")


@strawberry.type
class InteractionMutations:
    @strawberry.mutation(description="Put a word on the member's timeline, under the caller's name and store.")
    async def log_interaction(
        self, info: Info, input: LogInteractionInput, idempotency_key: IdempotencyKey
    ) -> LogInteractionResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        note = Note(
            input.kind,
            input.channel,
            input.direction,
            topic=input.topic,
            text=input.note,
            baby_id=decode_id("Baby", input.baby_id) if input.baby_id is not None else None,
            occurred_at=input.occurred_at,
        )
        return await granted(
            info, idempotency_key, input, (interactions.InteractionLogged, failures.BabyNotFound),
            lambda: interactions.log(actor, member, note),
            lambda logged: InteractionLogged(
                interaction=project(info, "Interaction", logged.interaction_id), member=project(info, "Member", member)
            ),
        )  # fmt: skip
