"""Interactions: every word between us and a member, whatever the channel, on one timeline."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.care.promises import open_promise, promise_flaw
from domain.care.questions import write_questions
from domain.database import connection
from domain.people.failures import BabyNotFound, MemberNotFound
from domain.people.provenance import system_of
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.commerce.stores import Store
    from domain.people.babies import Baby
    from domain.people.members import Member


class Direction(StrEnum):
    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"
    INTERNAL = "INTERNAL"


class InteractionKind(StrEnum):
    VISIT = "VISIT"
    CALL = "CALL"
    CHAT = "CHAT"
    REPLY = "REPLY"
    QUESTION = "QUESTION"
    NOTE = "NOTE"
    REVIEW = "REVIEW"
    CLASS = "CLASS"


class Mood(StrEnum):
    """How she was, as whoever spoke with her felt it: never a score."""

    PLEASED = "PLEASED"
    CALM = "CALM"
    WORRIED = "WORRIED"
    TIRED = "TIRED"
    UPSET = "UPSET"


class Interaction(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="interactions", on_delete=fields.RESTRICT
    )
    member_id: UUID
    baby: fields.ForeignKeyNullableRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="interactions", null=True, on_delete=fields.RESTRICT
    )
    baby_id: UUID | None
    kind = fields.CharEnumField(InteractionKind, max_length=16)
    channel = fields.CharEnumField(Channel, max_length=16)
    direction = fields.CharEnumField(Direction, max_length=16)
    occurred_at = fields.DatetimeField()  # business clock
    recorded_at = fields.DatetimeField(auto_now_add=True)  # real clock
    topic = fields.CharField(max_length=100, default="")
    note = fields.TextField(default="")
    mood = fields.CharEnumField(Mood, max_length=16, null=True)
    promise = fields.CharField(max_length=200, default="", db_default="")  # what we said we would do
    promised_for = fields.DatetimeField(null=True)  # business clock
    promise_task_id = fields.UUIDField(null=True)  # the call-back that keeps it
    staff: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="interactions", null=True, on_delete=fields.SET_NULL
    )
    staff_id: UUID | None
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="interactions", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None
    task_id = fields.UUIDField(null=True)  # the call-back that it came of
    message_id = fields.UUIDField(null=True)  # the message that it answers
    source = fields.CharField(max_length=64)  # desk, store, sms, import:<name>, synthetic
    external_id = fields.CharField(max_length=200)  # the source's own id; a new UUID when we are the source
    is_synthetic = fields.BooleanField(default=False)

    class Meta:
        table = "interactions"
        unique_together = (("source", "external_id"),)
        constraints = [
            one_of("interactions", "kind", InteractionKind),
            one_of("interactions", "channel", Channel),
            one_of("interactions", "direction", Direction),
            one_of("interactions", "mood", Mood),
            CheckConstraint(
                name="interactions_a_promise_is_a_call",
                check="num_nulls(promised_for, promise_task_id) IN (0, 2) "
                "AND (promise = '' OR promised_for IS NOT NULL)",
            ),
        ]


NOTE_LENGTH = 4000
TOPIC_LENGTH = 100
PROMISE_LENGTH = 200
QUESTION_LENGTH = 500
MOST_QUESTIONS = 10
FURTHEST_BACK = timedelta(days=366)
CLOCK_SLACK = timedelta(minutes=5)  # a till's clock may run ahead of ours


@dataclass(frozen=True, slots=True)
class Heard:
    """What a note tells beside its text: how she was, what she asked, what was promised to her."""

    mood: Mood | None = None
    questions: tuple[str, ...] = ()
    promise: str = ""

    def flaw(self) -> ValidationError | None:
        if len(self.promise) > PROMISE_LENGTH:
            return ValidationError.of(
                "promise", f"At most {PROMISE_LENGTH} characters.", f"最多{PROMISE_LENGTH}个字符。"
            )
        if len(self.questions) > MOST_QUESTIONS:
            return ValidationError.of("questions", f"At most {MOST_QUESTIONS}.", f"最多{MOST_QUESTIONS}个问题。")
        if any(not 0 < len(asked.strip()) <= QUESTION_LENGTH for asked in self.questions):
            return ValidationError.of(
                "questions", f"Each in 1 to {QUESTION_LENGTH} characters.", f"每个问题1到{QUESTION_LENGTH}个字符。"
            )
        return None


@dataclass(frozen=True, slots=True)
class Note:
    """What happened, in plain values. Moments are on the business clock; `occurred_at` none means now.

    `call_at` makes a promise of it: a call-back task for that moment, with `heard.promise` as its reason.
    """

    kind: InteractionKind
    channel: Channel
    direction: Direction
    topic: str = ""
    text: str = ""
    baby_id: UUID | None = None
    occurred_at: datetime | None = None
    task_id: UUID | None = None
    heard: Heard = Heard()
    call_at: datetime | None = None
    promise_task_id: UUID | None = None

    def flaw(self, now: datetime) -> ValidationError | None:
        if not self.text.strip() and not self.topic.strip():
            return ValidationError.of("note", "Say what happened: a note or a topic.", "请填写备注或主题。")
        if len(self.text) > NOTE_LENGTH:
            return ValidationError.of("note", f"At most {NOTE_LENGTH} characters.", f"最多{NOTE_LENGTH}个字符。")
        if len(self.topic) > TOPIC_LENGTH:
            return ValidationError.of("topic", f"At most {TOPIC_LENGTH} characters.", f"最多{TOPIC_LENGTH}个字符。")
        if self.occurred_at is not None and self.occurred_at > now + CLOCK_SLACK:
            return ValidationError.of("occurredAt", "It has not happened yet.", "时间不能晚于现在。")
        if self.occurred_at is not None and self.occurred_at < now - FURTHEST_BACK:
            return ValidationError.of(
                "occurredAt", f"At most {FURTHEST_BACK.days} days back.", f"最多补记{FURTHEST_BACK.days}天内的联系。"
            )
        if (self.call_at is not None) != bool(self.heard.promise.strip()):
            return ValidationError.of("promise", "Say both what was promised and when.", "请同时填写承诺内容和时间。")
        return self.heard.flaw()

    @property
    def asked(self) -> tuple[str, ...]:
        """Her questions; a note that is a question and names none is one itself."""
        if self.kind is InteractionKind.QUESTION and not self.heard.questions:
            return (self.text.strip() or self.topic.strip(),)
        return tuple(asked.strip() for asked in self.heard.questions)


@dataclass(frozen=True, slots=True)
class InteractionLogged:
    interaction_id: UUID
    member_id: UUID
    promise_task_id: UUID | None = None


async def log(
    actor: Actor, member_id: UUID, note: Note
) -> InteractionLogged | MemberNotFound | BabyNotFound | NotPermitted | ValidationError:
    """Put a visit, call, chat, question or note on the member's timeline, under the actor's name and store.

    Its questions stay open until they are answered; its promise is a call on the list, in the same transaction.
    """
    if not actor.may(Permission.WRITE_INTERACTIONS):
        return NotPermitted(Permission.WRITE_INTERACTIONS)
    async with in_transaction():
        if not await is_in_scope(actor, member_id, for_update=note.call_at is not None):
            return MemberNotFound()
        now = await business_now()
        flaw = note.flaw(now)
        if flaw is not None:
            return flaw
        if note.baby_id is not None and not await _is_her_baby(member_id, note.baby_id):
            return BabyNotFound()
        if note.call_at is not None:
            flaw = await promise_flaw(member_id, note.baby_id, note.call_at, now)
            if flaw is not None:
                return flaw
        interaction_id = new_id()
        if note.call_at is not None:
            words = note.heard.promise.strip()
            task_id = await open_promise(actor, member_id, note.baby_id, words, note.call_at, interaction_id, now)
            note = replace(note, promise_task_id=task_id)
        await write_interaction(actor, member_id, note, now, interaction_id)
        await announce(MEMBER_TIMELINE, member_id)
        return InteractionLogged(interaction_id, member_id, note.promise_task_id)


async def write_interaction(
    actor: Actor, member_id: UUID, note: Note, now: datetime, interaction_id: UUID | None = None
) -> UUID:
    """Insert the row and its questions in the caller's transaction; its id is its external id: we are the source."""
    interaction_id, at = interaction_id or new_id(), note.occurred_at or now
    is_promised = note.promise_task_id is not None
    await connection().execute_query(
        "INSERT INTO interactions (id, member_id, baby_id, kind, channel, direction, occurred_at, topic, note, "
        "staff_id, store_id, task_id, source, external_id, mood, promise, promised_for, promise_task_id, "
        "is_synthetic) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        [
            interaction_id, member_id, note.baby_id, note.kind, note.channel, note.direction, at,
            note.topic.strip(), note.text.strip(), actor.staff_id, actor.store_id, note.task_id, system_of(actor),
            str(interaction_id), note.heard.mood, note.heard.promise.strip() if is_promised else "",
            note.call_at if is_promised else None, note.promise_task_id, actor.makes_up,
        ],
    )  # fmt: skip
    await write_questions(interaction_id, note.asked, at)
    return interaction_id


async def _is_her_baby(member_id: UUID, baby_id: UUID) -> bool:
    return bool(
        await connection().execute_query_dict(
            "SELECT 1 FROM babies b JOIN members m ON m.household_id = b.household_id WHERE m.id = $1 AND b.id = $2",
            [member_id, baby_id],
        )
    )
