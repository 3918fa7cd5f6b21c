"""Days pass between a call's making and the call: what was allowed then is asked again now."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.care import leases, outcomes, queues, withdrawals
from domain.care.callbacks import CallbackKind, CallbackOutcome, CallbackState, CallbackTask, Disposition
from domain.care.handovers import open_from_message
from domain.care.leases import Lease, TaskClosed, TaskWaits
from domain.care.outcomes import OutcomeLogged
from domain.care.queues import NothingToCall
from domain.gateway.messages import Message, MessageState, plan
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.gateway.sweeps import receive_call_outcomes
from domain.outreach.intents import CallBrief, Intent
from domain.outreach.templates import seed
from domain.people import consents
from domain.people.babies import Baby
from domain.people.consents import ConsentEvidence, ConsentState
from domain.people.members import Member, MemberStatus
from domain.platform.actors import Actor
from domain.platform.clock import real_now, set_business_clock
from domain.platform.sources import Channel, Purpose, Source
from tests import factories as make

PHONE = "+12125550142"


@pytest.fixture
async def caller(db: str) -> Actor:
    await set_business_clock(make.NOON)
    await seed()
    return await make.make_actor()


async def called_for(actor: Actor) -> tuple[Member, UUID]:
    """A member who agreed to calls, and the task of a call that the gateway handed over."""
    member = await make.make_member(phone=PHONE)
    agreed = ConsentEvidence("store_form", "calls-1", "We may call you with offers.")
    await consents.record(actor, member.id, Purpose.PROMOTION, Channel.CALL, ConsentState.GRANTED, agreed)
    planned = await plan(
        [
            Intent(
                member_id=member.id,
                channel=Channel.CALL,
                purpose=Purpose.PROMOTION,
                template_key="call.WIN_BACK",
                intent_key=f"test:{member.id}",
                not_before=make.NOON,
                expires_at=make.NOON + timedelta(days=7),
                params={"store": ""},
                call=CallBrief(CallbackKind.WIN_BACK, "CHURN_RISK", {"en": "Away."}, [], 5.0),
            )
        ]
    )
    assert planned.sent == 1
    task_id = await open_from_message(planned.ids[0])
    assert task_id is not None
    return member, task_id


async def test_nothing_changed_so_she_is_called(caller: Actor) -> None:
    _, task_id = await called_for(caller)
    taken = await queues.take_next(caller)
    assert isinstance(taken, Lease)
    assert taken.task_id == task_id


async def test_at_night_the_call_waits_for_the_morning(caller: Actor) -> None:
    _, task_id = await called_for(caller)
    midnight = make.NOON + timedelta(hours=12)
    morning = midnight.replace(hour=8)
    await set_business_clock(midnight)
    assert await queues.take_next(caller) == NothingToCall(morning)
    assert await leases.open_task(caller, task_id) == TaskWaits(task_id, morning)
    await set_business_clock(morning)
    assert isinstance(await queues.take_next(caller), Lease)


async def test_a_number_that_was_stopped_meanwhile_is_not_called_and_the_task_says_why(caller: Actor) -> None:
    _, task_id = await called_for(caller)
    await suppress(Channel.CALL, PHONE, SuppressionReason.DO_NOT_CALL)
    assert await queues.take_next(caller) == NothingToCall(None)
    row = await CallbackTask.get(id=task_id)
    assert (row.state, row.release_reason) == (CallbackState.CANCELLED, "DO_NOT_CALL")
    assert await leases.open_task(caller, task_id) == TaskClosed(task_id, CallbackState.CANCELLED)


async def test_a_blocked_member_is_not_called_even_when_opened_by_hand(caller: Actor) -> None:
    member, task_id = await called_for(caller)
    await Member.filter(id=member.id).update(status=MemberStatus.BLOCKED)
    assert await leases.open_task(caller, task_id) == TaskClosed(task_id, CallbackState.CANCELLED)
    assert (await CallbackTask.get(id=task_id)).release_reason == "MEMBER_BLOCKED"


async def promised_to(actor: Actor) -> tuple[Member, Baby, UUID]:
    """A member whose baby a promised call is about; no message stands behind that task."""
    member = await make.make_member(phone=PHONE)
    baby = await make.make_baby(member)
    first = await make.make_task(member, baby_id=baby.id)
    lease = await leases.open_task(actor, first.id)
    assert isinstance(lease, Lease)
    later = make.NOON + timedelta(hours=2)
    logged = await outcomes.log_outcome(actor, first.id, lease.fence, Disposition.CALL_LATER, "", later)
    assert isinstance(logged, OutcomeLogged)
    assert logged.promise_task_id is not None
    await set_business_clock(later)
    return member, baby, logged.promise_task_id


@pytest.mark.parametrize(
    "reason", ["OK", "MEMBER_BLOCKED", "LOSS", "CONSENT_WITHDRAWN", "SUPPRESSED_ADDRESS", "QUIET_HOURS"]
)
@pytest.mark.parametrize("by_hand", [True, False])
async def test_a_promised_call_is_asked_about_again(caller: Actor, reason: str, by_hand: bool) -> None:
    member, baby, task_id = await promised_to(caller)
    match reason:
        case "MEMBER_BLOCKED":
            await Member.filter(id=member.id).update(status=MemberStatus.BLOCKED)
        case "LOSS":
            await Baby.filter(id=baby.id).update(stopped_at=make.NOON)
        case "CONSENT_WITHDRAWN":  # by a form that knew nothing of the task
            since = {"state": ConsentState.WITHDRAWN, "given_at": make.NOON + timedelta(hours=1)}
            await make.make_consent(member, Purpose.PROMOTION, Channel.CALL, **since)
        case "SUPPRESSED_ADDRESS":
            await suppress(Channel.CALL, PHONE, SuppressionReason.STAFF)
        case "QUIET_HOURS":
            await set_business_clock(make.NOON + timedelta(hours=11))
    answer = await (leases.open_task(caller, task_id) if by_hand else queues.take_next(caller))
    row = await CallbackTask.get(id=task_id)
    if reason == "OK":
        assert isinstance(answer, Lease)
        return
    assert not isinstance(answer, Lease)
    assert row.lease_account_id is None
    if reason == "QUIET_HOURS":
        morning = make.NOON.replace(hour=8) + timedelta(days=1)
        assert answer == (TaskWaits(task_id, morning) if by_hand else NothingToCall(morning))
    elif by_hand or reason not in ("MEMBER_BLOCKED", "LOSS"):  # those two are never offered
        assert (row.state, row.release_reason) == (CallbackState.CANCELLED, reason)


async def bound_by(task_id: UUID) -> set[str]:
    """The points of the task that name a rule of law, and no point twice."""
    points = (await CallbackTask.get(id=task_id)).talking_points
    assert len({point["code"] for point in points}) == len(points)
    return {point["code"] for point in points if "rule" in point}


@pytest.mark.parametrize("make_call", [called_for, promised_to])
async def test_what_law_forbids_to_say_is_asked_again_when_she_is_called(
    caller: Actor, make_call: Callable[[Actor], Awaitable[tuple[Any, ...]]]
) -> None:
    member, *_, task_id = await make_call(caller)
    told = {"born_source": Source.MEMBER, "born_confidence": 1.0}
    await make.make_baby(member)
    await Baby.all().update(born_on=make.NOON.date() - timedelta(days=2000), **told)
    lease = await leases.open_task(caller, task_id)
    assert isinstance(lease, Lease)
    assert await bound_by(task_id) == set()
    await leases.release(caller, task_id, lease.fence, "Somebody else knows her.")
    await make.make_baby(member, born_on=make.NOON.date() - timedelta(days=20), **told)
    lease = await leases.open_task(caller, task_id)
    assert isinstance(lease, Lease)
    assert await bound_by(task_id) == {"FORMULA_LAW_BINDS"}


async def test_the_gateway_hears_of_cancelled_calls_only_when_nobody_can_take_that_back(caller: Actor) -> None:
    member, task_id = await called_for(caller)
    await Message.all().update(state=MessageState.ACCEPTED)
    other = await make.make_task(member)
    lease = await leases.open_task(caller, other.id)
    assert isinstance(lease, Lease)
    await outcomes.log_outcome(caller, other.id, lease.fence, Disposition.DO_NOT_CALL, "")
    assert (await CallbackTask.get(id=task_id)).state is CallbackState.CANCELLED
    assert await receive_call_outcomes() == 0
    await CallbackOutcome.all().update(logged_at=real_now() - timedelta(minutes=1))
    assert await receive_call_outcomes() == 1


KNOWN = {"known_at": (make.NOON - timedelta(days=1)).isoformat()}


@pytest.mark.parametrize(
    ("kind", "facts", "bought", "is_answered"),
    [
        (CallbackKind.WIN_BACK, {}, "TEA", True),
        (CallbackKind.NEW_CUSTOMER_RETURN, {}, "TEA", True),
        (CallbackKind.CAN_FINISH, {"category": "DIAPERS"}, "DIAPERS", True),
        (CallbackKind.CAN_FINISH, {"category": "DIAPERS"}, "TEA", False),
        (CallbackKind.STAGE_SWITCH, {}, "TEA", False),
    ],
)
async def test_who_has_bought_since_is_not_called_for_it(
    caller: Actor, kind: CallbackKind, facts: dict[str, str], bought: str, is_answered: bool
) -> None:
    member = await make.make_member()
    task = await make.make_task(member, kind=kind, reason={**KNOWN, **facts})
    product = await make.make_product(bought)
    await make.make_order(member, make.NOON - timedelta(days=2), product=product)  # the list knew of this one
    assert await withdrawals.cancel_answered(make.NOON) == 0
    await make.make_order(member, make.NOON - timedelta(hours=1), product=product)
    taken = await queues.take_next(caller)
    row = await CallbackTask.get(id=task.id)
    if is_answered:
        assert taken == NothingToCall(None)
        assert (row.state, row.release_reason) == (CallbackState.CANCELLED, "REASON_GONE")
        assert await leases.open_task(caller, task.id) == TaskClosed(task.id, CallbackState.CANCELLED)
    else:
        assert isinstance(taken, Lease)


async def test_the_lists_lose_what_was_bought_before_new_calls_are_chosen(caller: Actor) -> None:
    bought, held, waits = [
        await make.make_task(await make.make_member(), reason=KNOWN, priority=rank) for rank in (1.0, 2.0, 0.5)
    ]
    assert isinstance(await leases.open_task(caller, held.id), Lease)
    for task in (bought, held):
        await make.make_order(await Member.get(id=task.member_id), make.NOON - timedelta(hours=1))
    assert await withdrawals.cancel_answered(make.NOON) == 1
    states = {task.id: task.state for task in await CallbackTask.all()}
    assert states == {
        bought.id: CallbackState.CANCELLED, held.id: CallbackState.LEASED, waits.id: CallbackState.OPEN,
    }  # fmt: skip
