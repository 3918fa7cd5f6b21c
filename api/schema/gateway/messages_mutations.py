"""Writing to one member now."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, at_most, granted
from domain.gateway import direct_messages
from domain.gateway.messages import MessageState
from domain.platform.sources import Channel, Purpose

if TYPE_CHECKING:
    from api.schema.gateway.messages import Message
    from api.schema.people.members import Member

MOST_PARAMS = 20


@strawberry.type(description="The message is decided and stored: on its way, held until later, or suppressed, and why.")
class MessagePlanned:
    planned_message: Annotated["Message", strawberry.lazy("api.schema.gateway.messages")] | None = strawberry.field(
        description="With its decision; its state goes on changing."
    )
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="To whom."
    )
    state: MessageState = strawberry.field(description="PLANNED leaves at once, HELD later, SUPPRESSED never.")
    reason: str = strawberry.field(description="OK, or the primary reason why it is held or suppressed.")
    next_possible_at: datetime | None = strawberry.field(description="When a held one may leave (business clock).")


SendMessageResult = Annotated[
    MessagePlanned | MemberNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("SendMessageResult"),
]


@strawberry.input(description="A value that a template asks for.")
class TemplateParamInput:
    name: str = strawberry.field(description="As the template names it.")
    value: str = strawberry.field(description="Text.")


@strawberry.input(description="A message: an approved template with its values, or words of one's own.")
class SendMessageInput:
    member_id: strawberry.ID = strawberry.field(description="To whom.")
    channel: Channel = strawberry.field(description="SMS or EMAIL.")
    purpose: Purpose = strawberry.field(description="What for; PROMOTION needs a template.")
    template_key: str | None = strawberry.field(default=None, description="An approved template; or else a text.")
    params: list[TemplateParamInput] = strawberry.field(
        default_factory=list,
        description=f"The template's values and no others: at most {MOST_PARAMS}. `category` is a shelf as its "
        "products name it, and the law judges the message by it; `store` is a store's name.",
    )
    text: str | None = strawberry.field(
        default=None,
        description="Words of one's own, whole sentences: at most 600 characters, none that advertise "
        "formula. The greeting and our name stand in front.",
    )
    baby_id: strawberry.ID | None = strawberry.field(default=None, description="About which of her children.")


@strawberry.type
class MessageMutations:
    @strawberry.mutation(
        description="Write to one member. Law, consent, quiet hours and the frequency cap decide; being held or "
        "suppressed is an answer that comes back with the message."
    )
    async def send_message(
        self, info: Info, input: SendMessageInput, idempotency_key: IdempotencyKey
    ) -> SendMessageResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        baby = decode_id("Baby", input.baby_id) if input.baby_id is not None else None
        params = {param.name: param.value for param in at_most(MOST_PARAMS, "params", input.params)}
        return await granted(
            info, idempotency_key, input, (direct_messages.MessagePlanned,),
            lambda: direct_messages.send_to_member(
                actor, member, input.channel, input.purpose,
                template_key=input.template_key, params=params, text=input.text, baby_id=baby,
            ),
            lambda planned: _planned(info, planned),
        )  # fmt: skip


def _planned(info: Info, planned: direct_messages.MessagePlanned) -> MessagePlanned:
    return MessagePlanned(
        planned_message=project(info, "Message", planned.message_id),
        member=project(info, "Member", planned.member_id),
        state=planned.state,
        reason=planned.reason.value,
        next_possible_at=planned.next_possible_at,
    )
