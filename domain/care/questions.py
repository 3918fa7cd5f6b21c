"""Questions: what a member asked, and whether she has been answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from domain.care.interactions import Interaction
    from domain.commerce.staff import Staff

ANSWER_LENGTH = 4000


class Question(Model):
    """Whose it is, its interaction says: it moves, and goes, with that."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    interaction: fields.ForeignKeyRelation["Interaction"] = fields.ForeignKeyField(
        "nestling.Interaction", related_name="questions", on_delete=fields.CASCADE
    )
    interaction_id: UUID
    place = fields.SmallIntField()  # in the order in which she asked, from 1
    text = fields.TextField()
    asked_at = fields.DatetimeField()  # business clock
    answer = fields.TextField(default="")
    answered_at = fields.DatetimeField(null=True)  # business clock
    answered_by: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="answers", null=True, on_delete=fields.SET_NULL
    )
    answered_by_id: UUID | None

    class Meta:
        table = "questions"
        unique_together = (("interaction_id", "place"),)
        constraints = [
            CheckConstraint(name="questions_an_answer_has_a_time", check="(answer <> '') = (answered_at IS NOT NULL)")
        ]


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    question_id: UUID
    interaction_id: UUID
    member_id: UUID


@dataclass(frozen=True, slots=True)
class QuestionNotFound:
    """No such question, or of a member whom the actor may not see."""

    question_id: UUID


@dataclass(frozen=True, slots=True)
class AlreadyAnswered:
    """Somebody was faster, with other words; hers stand."""

    question_id: UUID
    answered_at: datetime  # business clock


async def write_questions(interaction_id: UUID, asked: tuple[str, ...], at: datetime) -> None:
    """Keep what she asked, in her order, inside the caller's transaction. `at` is on the business clock."""
    if asked:
        await connection().execute_query(
            "INSERT INTO questions (id, interaction_id, place, text, asked_at, answer) "
            "SELECT a.id, $2, a.place, a.text, $4, '' "
            "FROM unnest($1::uuid[], $3::text[]) WITH ORDINALITY AS a (id, text, place)",
            [[new_id() for _ in asked], interaction_id, list(asked), at],
        )


async def answer(
    actor: Actor, question_id: UUID, words: str
) -> QuestionAnswered | QuestionNotFound | AlreadyAnswered | NotPermitted | ValidationError:
    """Close a question with what she was told. Idempotent in the same words; of two answers the first stands."""
    if not actor.may(Permission.WRITE_INTERACTIONS):
        return NotPermitted(Permission.WRITE_INTERACTIONS)
    words = words.strip()
    if not 0 < len(words) <= ANSWER_LENGTH:
        return ValidationError.of(
            "answer",
            f"Say what she was told, in 1 to {ANSWER_LENGTH} characters.",
            f"请填写答复，1到{ANSWER_LENGTH}个字符。",
        )
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "SELECT i.member_id, q.interaction_id, q.answer, q.answered_at FROM questions q "
            "JOIN interactions i ON i.id = q.interaction_id WHERE q.id = $1 FOR UPDATE OF q",
            [question_id],
        )
        if not rows or not await is_in_scope(actor, rows[0]["member_id"]):
            return QuestionNotFound(question_id)
        found = rows[0]
        answered = QuestionAnswered(question_id, found["interaction_id"], found["member_id"])
        if found["answered_at"] is not None:
            return answered if found["answer"] == words else AlreadyAnswered(question_id, found["answered_at"])
        await connection().execute_query(
            "UPDATE questions SET answer = $2, answered_at = $3, answered_by_id = $4 WHERE id = $1",
            [question_id, words, await business_now(), actor.staff_id],
        )
        await announce(MEMBER_TIMELINE, found["member_id"])
        return answered
