"""Structured notes: what was promised becomes a call, what was asked stays open until it is answered."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.care import leases, outcomes, questions, queues
from domain.care.callbacks import CallbackState, CallbackTask, Disposition
from domain.care.interactions import (
    MOST_QUESTIONS,
    Direction,
    Heard,
    Interaction,
    InteractionKind,
    InteractionLogged,
    Mood,
    Note,
    log,
)
from domain.care.leases import Lease
from domain.care.outcomes import OutcomeLogged, OutcomeUndone
from domain.care.promises import STATE, PromiseState
from domain.care.questions import AlreadyAnswered, Question, QuestionAnswered, QuestionNotFound
from domain.commerce.staff import RowScope
from domain.database import connection
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.outreach.call_reasons import say_why
from domain.outreach.contactability import decide
from domain.outreach.decisions import Decision, Verdict
from domain.outreach.facts import snapshot_from_json
from domain.people.consents import ConsentState
from domain.people.members import Member, MemberStatus
from domain.platform.actors import Actor
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose
from tests import factories as make

PHONE = "+12025550142"
TUESDAY = make.NOON + timedelta(days=4, hours=3)
WORDS = "Call on Tuesday, after the vaccine"


@pytest.fixture
async def nora(db: str) -> Actor:
    await set_business_clock(make.NOON)
    return await make.make_actor()


def visit(**more: Any) -> Note:
    heard = Heard(Mood.WORRIED, ("When do teeth come?", " Does it hurt? "), WORDS)
    return Note(
        InteractionKind.VISIT, Channel.STORE, Direction.INBOUND,
        **{"topic": "vaccine", "text": "She is nervous.", "heard": heard, "call_at": TUESDAY, **more},
    )  # fmt: skip


async def promised(actor: Actor, **more: Any) -> tuple[Member, UUID, UUID]:
    member = await make.make_member(phone=PHONE)
    logged = await log(actor, member.id, visit(**more))
    assert isinstance(logged, InteractionLogged)
    assert logged.promise_task_id is not None
    return member, logged.interaction_id, logged.promise_task_id


async def state_of(interaction_id: UUID) -> PromiseState:
    rows = await connection().execute_query_dict(
        f"SELECT {STATE.replace('{t}', 'i')} AS state FROM interactions i WHERE i.id = $1", [interaction_id]
    )
    return PromiseState(rows[0]["state"])


async def test_a_promise_in_the_store_is_hers_to_keep_and_says_what_was_promised(nora: Actor) -> None:
    _member, interaction_id, task_id = await promised(nora)
    row, task = await Interaction.get(id=interaction_id), await CallbackTask.get(id=task_id)
    assert (row.mood, row.promise, row.promised_for, row.promise_task_id) == (Mood.WORRIED, WORDS, TUESDAY, task_id)
    assert (task.owner_id, task.kind, task.purpose) == (nora.staff_id, "PROMISE", Purpose.SERVICE)
    assert (task.not_before, task.state) == (TUESDAY, CallbackState.OPEN)
    said = say_why(task.reason_code, task.reason, "en", make.NOON.date())
    assert said == f"You promised her: “{WORDS}”."
    assert WORDS in say_why(task.reason_code, task.reason, "zh-Hans", make.NOON.date())
    assert await queues.take_next(nora) == queues.NothingToCall(TUESDAY)
    assert await state_of(interaction_id) == PromiseState.OPEN
    asked = await Question.filter(interaction_id=interaction_id).order_by("place")
    assert [(one.text, one.answered_at) for one in asked] == [("When do teeth come?", None), ("Does it hurt?", None)]


async def test_a_promise_is_decided_when_it_is_made_and_again_when_it_is_due(nora: Actor) -> None:
    """By the one function, stored with all it looked at; and the law that binds other calls binds this one."""
    _, interaction_id, task_id = await promised(nora)
    made = await Decision.get(intent_key=f"promise:{interaction_id}")
    assert (made.verdict, made.primary_reason, made.next_possible_at) == (Verdict.HOLD, "TOO_EARLY", TUESDAY)
    task = await CallbackTask.get(id=task_id)
    assert task.decision_id == made.id
    codes = {point["code"] for point in task.talking_points}
    assert codes == {"NO_FORMULA_PROMOTION", "FORMULA_LAW_BINDS", "NO_MEDICAL_ADVICE"}
    await set_business_clock(TUESDAY)
    assert isinstance(await queues.take_next(nora), Lease)
    due = await Decision.get(intent_key=f"promise:{interaction_id}", verdict=Verdict.SEND)
    for stored in (made, due):
        assert decide(snapshot_from_json(stored.snapshot)).reasons == tuple(stored.reasons)


async def test_what_is_promised_at_the_end_of_a_call_is_told_once_what_not_to_say(nora: Actor) -> None:
    _, _, task_id = await promised(nora)
    await set_business_clock(TUESDAY)
    lease = await queues.take_next(nora)
    assert isinstance(lease, Lease)
    later = TUESDAY + timedelta(hours=2)
    logged = await outcomes.log_outcome(nora, task_id, lease.fence, Disposition.CALL_LATER, "", later)
    assert isinstance(logged, OutcomeLogged)
    first, again = await CallbackTask.get(id=task_id), await CallbackTask.get(id=logged.promise_task_id)
    assert first.talking_points == again.talking_points
    decision = await Decision.get(id=again.decision_id)
    assert (decision.primary_reason, decision.next_possible_at) == ("TOO_EARLY", later)


@pytest.mark.parametrize(
    ("disposition", "state"),
    [(Disposition.REACHED, "KEPT"), (Disposition.WRONG_NUMBER, "TRIED"), (Disposition.REFUSED, "KEPT")],
)
async def test_a_promise_is_kept_by_reaching_her(nora: Actor, disposition: Disposition, state: str) -> None:
    _, interaction_id, task_id = await promised(nora)
    await set_business_clock(TUESDAY)
    lease = await queues.take_next(nora)
    assert isinstance(lease, Lease)
    assert lease.task_id == task_id
    assert isinstance(await outcomes.log_outcome(nora, task_id, lease.fence, disposition, ""), OutcomeLogged)
    assert await state_of(interaction_id) == state


async def test_a_promise_that_nobody_kept_is_broken_and_one_that_was_tried_is_not(nora: Actor) -> None:
    _, forgotten, task_id = await promised(nora)
    await set_business_clock(TUESDAY + timedelta(days=3))
    assert await state_of(forgotten) == PromiseState.BROKEN
    await leases.expire_due()
    assert (await CallbackTask.get(id=task_id)).state == CallbackState.EXPIRED
    assert await state_of(forgotten) == PromiseState.BROKEN
    await CallbackTask.filter(id=task_id).update(attempts=1)
    assert await state_of(forgotten) == PromiseState.TRIED
    await CallbackTask.filter(id=task_id).update(state=CallbackState.CANCELLED)
    assert await state_of(forgotten) == PromiseState.CALLED_OFF


async def test_what_she_said_long_ago_does_not_stand_in_the_way_of_what_she_asks_now(nora: Actor) -> None:
    member, _, task_id = await promised(nora)
    before = {"state": ConsentState.WITHDRAWN, "given_at": make.NOON - timedelta(days=90)}
    await make.make_consent(member, Purpose.SERVICE, Channel.CALL, **before)
    await set_business_clock(TUESDAY)
    lease = await queues.take_next(nora)
    assert isinstance(lease, Lease)
    assert lease.task_id == task_id


async def test_a_promise_that_could_not_be_kept_is_refused_and_nothing_is_written(nora: Actor) -> None:
    member = await make.make_member(phone=PHONE)
    baby = await make.make_baby(member, stopped_at=make.NOON)
    night, far = TUESDAY.replace(hour=3), make.NOON + timedelta(days=91)
    wrong: dict[str, Note] = {
        "promise.callAt": visit(call_at=night), "promise": visit(baby_id=baby.id),
        "promise.callAt ": visit(call_at=far), "promise.callAt  ": visit(call_at=make.NOON),
        "promise ": visit(call_at=None), "promise  ": visit(heard=Heard()),
        "promise   ": visit(heard=Heard(promise=" ")),
        "questions": visit(heard=Heard(questions=("",), promise=WORDS)),
        "questions ": visit(heard=Heard(questions=("?",) * (MOST_QUESTIONS + 1), promise=WORDS)),
        "promise    ": visit(heard=Heard(promise="x" * 201)),
    }  # fmt: skip
    for field, note in wrong.items():
        answer = await log(nora, member.id, note)
        assert isinstance(answer, ValidationError), field
        assert answer.errors[0].field == field.strip()
        assert answer.errors[0].message_zh
    await suppress(Channel.CALL, PHONE, SuppressionReason.DO_NOT_CALL)
    assert isinstance(await log(nora, member.id, visit()), ValidationError)
    blocked = await make.make_member(status=MemberStatus.BLOCKED)
    assert isinstance(await log(nora, blocked.id, visit()), ValidationError)
    assert await CallbackTask.all().count() == await Interaction.all().count() == await Question.all().count() == 0


async def test_what_a_call_heard_is_noted_with_it_and_taken_back_with_it(nora: Actor) -> None:
    _, _, task_id = await promised(nora)
    await set_business_clock(TUESDAY)
    lease = await queues.take_next(nora)
    assert isinstance(lease, Lease)
    heard = Heard(Mood.TIRED, ("May she have honey?",), "Send news of the class")
    refused = await outcomes.log_outcome(nora, task_id, lease.fence, Disposition.REACHED, "", None, heard)
    assert isinstance(refused, ValidationError)
    later = TUESDAY + timedelta(days=1)
    logged = await outcomes.log_outcome(nora, task_id, lease.fence, Disposition.REACHED, "", later, heard)
    assert isinstance(logged, OutcomeLogged)
    said = await Interaction.get(id=logged.interaction_id)
    assert (said.mood, said.promise, said.promised_for) == (Mood.TIRED, "Send news of the class", later)
    assert said.promise_task_id == logged.promise_task_id
    following = await CallbackTask.get(id=logged.promise_task_id)
    assert following.reason["promise"] == "Send news of the class"
    assert isinstance(await outcomes.undo_outcome(nora, logged.outcome_id), OutcomeUndone)
    assert await Question.filter(text="May she have honey?").count() == 0


async def test_a_question_is_answered_once_by_who_may_see_her(nora: Actor) -> None:
    member = await make.make_member()
    logged = await log(
        nora, member.id, Note(InteractionKind.QUESTION, Channel.WECOM, Direction.INBOUND, text="Which size next?")
    )
    assert isinstance(logged, InteractionLogged)
    asked = await Question.get(interaction_id=logged.interaction_id)
    assert asked.text == "Which size next?"
    stranger = await make.make_actor(Role.ADVISOR, RowScope.OWN)
    analyst = await make.make_actor(Role.ANALYST)
    assert await questions.answer(stranger, asked.id, "Size 4.") == QuestionNotFound(asked.id)
    assert isinstance(await questions.answer(analyst, asked.id, "Size 4."), NotPermitted)
    assert isinstance(await questions.answer(nora, asked.id, " "), ValidationError)
    told = QuestionAnswered(asked.id, logged.interaction_id, member.id)
    assert await questions.answer(nora, asked.id, " Size 4. ") == told
    assert await questions.answer(nora, asked.id, "Size 4.") == told
    assert isinstance(await questions.answer(nora, asked.id, "Size 5."), AlreadyAnswered)
    row = await Question.get(id=asked.id)
    assert (row.answer, row.answered_by_id) == ("Size 4.", nora.staff_id)
