"""Writing down what passed between a member and us."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import (
    BabyNotFound,
    Failure,
    IdempotencyConflict,
    InProgress,
    MemberNotFound,
    ValidationError,
)
from api.schema.mutations import IdempotencyKey, granted, translates
from domain.care import interactions, questions
from domain.care.dispositions import FURTHEST_PROMISE
from domain.care.interactions import Direction, Heard, InteractionKind, Mood, Note
from domain.people import failures
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from api.schema.care.callbacks import CallbackTask
    from api.schema.care.interactions import Interaction
    from api.schema.care.questions import Question
    from api.schema.people.members import Member


@strawberry.type(description="It is on her timeline.")
class InteractionLogged:
    interaction: Annotated["Interaction", strawberry.lazy("api.schema.care.interactions")] | None = strawberry.field(
        description="As written down."
    )
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="With whom."
    )
    promise: Annotated["CallbackTask", strawberry.lazy("api.schema.care.callbacks")] | None = strawberry.field(
        description="The call-back that keeps the promise; null: nothing was promised."
    )


@strawberry.type(description="She has been told; the question is closed.")
class QuestionAnswered:
    question: Annotated["Question", strawberry.lazy("api.schema.care.questions")] | None = strawberry.field(
        description="As it is now."
    )
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="Who had asked."
    )


@strawberry.type(description="No such question, or of a member whom the caller may not see.")
class QuestionNotFound(Failure):
    pass


@strawberry.type(description="Somebody answered it before, with other words; those stand.")
class AlreadyAnswered(Failure):
    answered_at: datetime = strawberry.field(description="When (business clock).")


LogInteractionResult = Annotated[
    InteractionLogged | MemberNotFound | BabyNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("LogInteractionResult"),
]
AnswerQuestionResult = Annotated[
    QuestionAnswered | QuestionNotFound | AlreadyAnswered | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("AnswerQuestionResult"),
]


@strawberry.input(description="A call that is promised to her.")
class PromiseInput:
    text: str = strawberry.field(description="What was promised, in 1 to 200 characters: it is the call's reason.")
    call_at: datetime = strawberry.field(
        description=f"When to call: business clock, ahead of now by at most {FURTHEST_PROMISE.days} days, within the "
        "contact hours of where she lives and of her store. Outside them it is refused with the next open moment."
    )


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
    mood: Mood | None = strawberry.field(default=None, description="How she was, as the caller felt it.")
    questions: list[str] = strawberry.field(
        default_factory=list,
        description="What she asked: at most 10, each of 1 to 500 characters; open until `answerQuestion`. A note of "
        "the kind QUESTION that names none is one itself.",
    )
    promise: PromiseInput | None = strawberry.field(
        default=None, description="A promise to call: it becomes a call-back of hers who promised."
    )


@strawberry.input(description="What she was told.")
class AnswerQuestionInput:
    question_id: strawberry.ID = strawberry.field(description="Which question.")
    answer: str = strawberry.field(description="In 1 to 4,000 characters.")


@strawberry.type
class InteractionMutations:
    @strawberry.mutation(
        description="Put a word on the member's timeline, under the caller's name and store, with how she was, what "
        "she asked and what was promised to her."
    )
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
            heard=Heard(input.mood, tuple(input.questions), input.promise.text if input.promise else ""),
            call_at=input.promise.call_at if input.promise else None,
        )
        return await granted(
            info, idempotency_key, input, (interactions.InteractionLogged, failures.BabyNotFound),
            lambda: interactions.log(actor, member, note),
            lambda logged: InteractionLogged(
                interaction=project(info, "Interaction", logged.interaction_id),
                member=project(info, "Member", member),
                promise=project(info, "CallbackTask", logged.promise_task_id) if logged.promise_task_id else None,
            ),
        )  # fmt: skip

    @strawberry.mutation(description="Close a question with what she was told.")
    async def answer_question(
        self, info: Info, input: AnswerQuestionInput, idempotency_key: IdempotencyKey
    ) -> AnswerQuestionResult:
        actor, question = info.context.actor, decode_id("Question", input.question_id)
        answers = (questions.QuestionAnswered, questions.QuestionNotFound, questions.AlreadyAnswered)
        return await granted(
            info, idempotency_key, input, answers,
            lambda: questions.answer(actor, question, input.answer),
            lambda answered: QuestionAnswered(
                question=project(info, "Question", question), member=project(info, "Member", answered.member_id)
            ),
        )  # fmt: skip


@translates(questions.QuestionNotFound)
def _question_not_found(_: questions.QuestionNotFound) -> QuestionNotFound:
    return QuestionNotFound(message="No such question.")


@translates(questions.AlreadyAnswered)
def _already_answered(failure: questions.AlreadyAnswered) -> AlreadyAnswered:
    return AlreadyAnswered(message="Somebody has answered it already.", answered_at=failure.answered_at)
