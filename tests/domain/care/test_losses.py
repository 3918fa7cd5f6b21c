"""Losses: one word withdraws everything about a baby, and nothing but a supervisor's correction brings it back."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from domain.care import losses
from domain.care.callbacks import CallbackKind, CallbackState, CallbackTask
from domain.care.losses import BabyContentReopened, BabyContentStopped, Loss, ReopenTooLate
from domain.care.queues import NothingToCall, take_next
from domain.commerce.products import BabyClass
from domain.gateway.messages import Message, MessageEvent, MessageState, plan
from domain.insight.scores import Score
from domain.outreach.intents import CallBrief, Intent
from domain.outreach.templates import seed
from domain.people import babies
from domain.people.babies import Baby, BabyFacts, BabyStopped
from domain.people.failures import BabyNotFound
from domain.people.members import Member
from domain.platform.audit import AuditEntry
from domain.platform.clock import real_now, set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Permission, Role
from domain.platform.sources import Channel, Purpose, Source
from tests import factories as make


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)
    await seed()


async def _wish(member: Member, channel: Channel, key: str, **about: Any) -> None:
    is_call = channel is Channel.CALL
    brief = CallBrief(kind=CallbackKind.CARE_VISIT, reason_code="TEST", reason={}, talking_points=[], priority=1.0)
    planned = await plan(
        [
            Intent(
                member_id=member.id,
                channel=channel,
                purpose=Purpose.CARE,
                template_key="call.CARE_VISIT" if is_call else "note.care",
                intent_key=key,
                not_before=make.NOON,
                expires_at=make.NOON + timedelta(days=2),
                params={"store": ""} if is_call else {"text": "A word."},
                call=brief if is_call else None,
                **about,
            )
        ]
    )
    assert (planned.sent, planned.suppressed) == (1, 0), planned.reasons


async def test_one_word_withdraws_everything_about_the_baby_and_nothing_else(db: str) -> None:
    mother = await make.make_reachable(await make.make_member(carer_role="MOTHER"))
    father = await make.make_member(household_id=mother.household_id, carer_role="FATHER")
    await make.make_reachable(father, phone="+12025550124", email="father@example.com")
    lost = await make.make_baby(mother, due_on=date(2018, 3, 1), due_source=Source.MEMBER)
    sister = await make.make_baby(mother, born_on=date(2014, 3, 1), born_source=Source.MEMBER)
    other = await make.make_reachable(await make.make_member(), phone="+12025550125", email="other@example.com")
    await _wish(mother, Channel.SMS, "lost:mother", baby_id=lost.id)
    await _wish(father, Channel.SMS, "lost:father", baby_id=lost.id)
    await _wish(father, Channel.EMAIL, "any", is_about_babies=True)
    await _wish(mother, Channel.EMAIL, "sister", baby_id=sister.id)
    await _wish(other, Channel.SMS, "other", is_about_babies=True)
    about = await make.make_task(mother, baby_id=lost.id, kind=CallbackKind.STAGE_SWITCH)
    plain = await make.make_task(mother)
    model = await make.make_model("cross_sell")
    await make.make_product("DIAPERS", baby_class=BabyClass.DIAPER)
    diapers, tea = (
        await make.make_score(model, mother, 0.9, "DIAPERS"),
        await make.make_score(model, mother, 0.5, "TEA"),
    )
    await Score.filter(id=tea.id).update(rank=2)

    actor = await make.make_actor()
    answer = await losses.stop(actor, lost.id, Source.MEMBER)
    assert isinstance(answer, BabyContentStopped)
    assert (answer.messages, answer.calls, answer.scores) == (3, 1, 1)
    left = {m.intent_key: (m.state, m.state_reason) for m in await Message.all()}
    gone, waits = (MessageState.CANCELLED, "LOSS"), (MessageState.PLANNED, "OK")
    assert left == {"lost:mother": gone, "lost:father": gone, "any": gone, "sister": waits, "other": waits}
    assert await MessageEvent.filter(to_state="CANCELLED", cause="LOSS").count() == 3
    assert (await CallbackTask.get(id=about.id)).state is CallbackState.CANCELLED
    assert (await CallbackTask.get(id=plain.id)).state is CallbackState.OPEN
    assert not await Score.filter(id=diapers.id).exists()
    assert (await Score.get(id=tea.id)).rank == 1
    assert (await Baby.get(id=sister.id)).stopped_at is None
    audit = await AuditEntry.get(action="stop_baby_content")
    assert set(audit.member_ids) == {mother.id, father.id}

    again = await losses.stop(actor, lost.id)
    assert again == BabyContentStopped(lost.id, mother.household_id, 0, 0, 0, answer.reopen_until)
    assert await Loss.all().count() == 1


async def test_two_at_once_are_one(db: str) -> None:
    member = await make.make_member()
    baby = await make.make_baby(member)
    actors = [await make.make_actor(role) for role in (Role.CONSULTANT, Role.ADVISOR, Role.OPERATOR)]
    answers = await asyncio.gather(*(losses.stop(actor, baby.id) for actor in [*actors, make.member_actor(member)]))
    assert {type(answer) for answer in answers} == {BabyContentStopped}
    assert await Loss.all().count() == 1


async def test_nothing_brings_a_stopped_baby_back(db: str) -> None:
    member = await make.make_member()
    baby = await make.make_baby(member, due_on=date(2018, 3, 1), due_source=Source.MEMBER)
    actor, mother = await make.make_actor(), make.member_actor(member)
    assert isinstance(await losses.stop(mother, baby.id), BabyContentStopped)
    for who in (actor, mother):
        assert await babies.report(who, baby.id, BabyFacts(born_on=date(2017, 12, 1))) == BabyStopped()
    held = await make.make_task(member, baby_id=baby.id, kind=CallbackKind.STAGE_SWITCH)  # as an old replay would
    assert await take_next(actor) == NothingToCall(None)
    assert (await CallbackTask.get(id=held.id)).state is not CallbackState.LEASED
    assert (await Baby.get(id=baby.id)).stopped_at is not None


async def test_a_supervisor_takes_a_mistake_back_within_a_day(db: str) -> None:
    member = await make.make_member()
    baby = await make.make_baby(member)
    supervisor = await make.make_actor(Role.STORE_MANAGER)
    assert await losses.reopen(supervisor, baby.id, "Wrong family.") == ReopenTooLate(baby.id, None)
    await losses.stop(await make.make_actor(), baby.id)
    for who in (await make.make_actor(), await make.make_actor(Role.ADVISOR), make.member_actor(member)):
        assert await losses.reopen(who, baby.id, "A mistake.") == NotPermitted(Permission.REOPEN_BABIES)
    assert isinstance(await losses.reopen(supervisor, baby.id, "  "), ValidationError)
    answer = await losses.reopen(supervisor, baby.id, " Wrong family. ")
    assert answer == BabyContentReopened(baby.id, member.household_id)
    assert (await Baby.get(id=baby.id)).stopped_at is None
    loss = await Loss.get()
    assert (loss.reopened_by, loss.reopen_reason) == (supervisor.id, "Wrong family.")

    await losses.stop(supervisor, baby.id)
    await Loss.filter(reopened_at=None).update(stopped_at=real_now() - timedelta(hours=24, seconds=1))
    late = await losses.reopen(supervisor, baby.id, "Wrong family.")
    assert isinstance(late, ReopenTooLate)
    assert late.until is not None
    assert (await Baby.get(id=baby.id)).stopped_at is not None


async def test_who_may_not_see_the_family_learns_nothing(db: str) -> None:
    baby = await make.make_baby(await make.make_member())
    stranger = make.member_actor(await make.make_member())
    assert await losses.stop(stranger, baby.id) == BabyNotFound()
    assert await losses.stop(make.actor_for(Role.ANALYST, id=make.any_id()), baby.id) == NotPermitted(
        Permission.WRITE_BABIES
    )
    assert await losses.reopen(await make.make_actor(Role.OPERATOR), make.any_id(), "?") == BabyNotFound()
    assert await Loss.all().count() == 0
