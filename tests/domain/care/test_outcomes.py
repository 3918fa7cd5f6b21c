"""Outcomes: each disposition's next step, and taking it back as if it had never been said."""

import asyncio
import re
from contextvars import Context
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from tortoise.transactions import in_transaction

from domain.care import leases, outcomes, queues
from domain.care.callbacks import CallbackOutcome, CallbackState, CallbackTask, Disposition
from domain.care.dispositions import NextStep
from domain.care.interactions import Interaction
from domain.care.leases import Lease, LeaseLost, TaskClosed, TaskNotFound
from domain.care.outcomes import OutcomeLogged, OutcomeNotFound, OutcomeOvertaken, OutcomeUndone, UndoTooLate
from domain.care.queues import NothingToCall
from domain.database import connection
from domain.gateway.delivery import Inbound
from domain.gateway.inbound import hear
from domain.gateway.suppressions import Suppression, SuppressionReason, suppress, take_back, written
from domain.people.consents import Consent
from domain.people.members import Member, MemberStatus
from domain.platform.actors import Actor
from domain.platform.changes import CALLBACK_LIST, MEMBER_TIMELINE
from domain.platform.clock import real_now, set_business_clock
from domain.platform.failures import ValidationError
from domain.platform.sources import Channel, Purpose
from tests import factories as make

PHONE = "+12125550142"
TABLES = ("callback_tasks", "interactions", "consents", "suppressions", "members", "identities")


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


class Desk:
    """A consultant at work with one member's call in front of her."""

    def __init__(self, actor: Actor, member: Any, task: CallbackTask, lease: Lease) -> None:
        self.actor, self.member, self.task, self.lease = actor, member, task, lease

    async def log(self, disposition: Disposition, **more: Any) -> OutcomeLogged:
        answer = await outcomes.log_outcome(
            self.actor, self.task.id, self.lease.fence, disposition, "She was kind.", **more
        )
        assert isinstance(answer, OutcomeLogged)
        return answer

    async def row(self) -> CallbackTask:
        return await CallbackTask.get(id=self.task.id)


@pytest.fixture
async def desk(noon: None) -> Desk:
    actor = await make.make_actor()
    member = await make.make_member(phone=PHONE, owner_id=actor.staff_id)
    task = await make.make_task(member, priority=9.0)
    await make.make_task(member, purpose=Purpose.CARE)
    lease = await queues.take_next(actor)
    assert isinstance(lease, Lease)
    assert lease.task_id == task.id
    return Desk(actor, member, task, lease)


async def world() -> dict[str, list[str]]:
    """Every row of the tables that logging touches, as PostgreSQL prints it."""
    return {
        table: [
            row["row"]
            for row in await connection().execute_query_dict(f"SELECT t::text AS row FROM {table} t ORDER BY id")
        ]
        for table in TABLES
    }


async def test_reached_closes_the_call_and_stands_on_the_timeline(desk: Desk) -> None:
    logged = await desk.log(Disposition.REACHED)
    row = await desk.row()
    assert (logged.next_step, row.state, row.attempts, row.disposition) == (
        NextStep.CLOSE, CallbackState.DONE, 1, Disposition.REACHED,
    )  # fmt: skip
    spoken = await Interaction.get(id=logged.interaction_id)
    assert (spoken.member_id, spoken.task_id, spoken.note) == (desk.member.id, desk.task.id, "She was kind.")
    assert abs(spoken.occurred_at - make.NOON) < timedelta(minutes=1)


async def test_no_answer_tries_again_until_the_attempts_are_spent(desk: Desk) -> None:
    logged = await desk.log(Disposition.NO_ANSWER)
    assert logged.next_step is NextStep.RETRY
    row = await desk.row()
    assert row.state is CallbackState.OPEN
    assert row.not_before == logged.retry_at
    assert timedelta(hours=3) < row.not_before - make.NOON < timedelta(hours=5)
    for expected in (NextStep.RETRY, NextStep.ATTEMPTS_SPENT):
        again = await leases.open_task(desk.actor, desk.task.id)
        assert isinstance(again, Lease)
        desk.lease = again
        assert (await desk.log(Disposition.BUSY)).next_step is expected
    assert (await desk.row()).state is CallbackState.DONE
    assert await Interaction.filter(task_id=desk.task.id).count() == 3


@pytest.mark.parametrize("disposition", [Disposition.CALL_LATER, Disposition.REACHED])
async def test_nobody_promises_a_call_that_nobody_could_make(desk: Desk, disposition: Disposition) -> None:
    await suppress(Channel.CALL, PHONE, SuppressionReason.STAFF)
    before = await world()
    later = make.NOON + timedelta(hours=3)
    answer = await outcomes.log_outcome(desk.actor, desk.task.id, desk.lease.fence, disposition, "", later)
    assert isinstance(answer, ValidationError)
    assert answer.errors[0].field == "callLaterAt"
    assert answer.errors[0].message_zh
    assert await world() == before
    await Suppression.all().delete()
    await Member.filter(id=desk.member.id).update(status=MemberStatus.BLOCKED)
    answer = await outcomes.log_outcome(desk.actor, desk.task.id, desk.lease.fence, disposition, "", later)
    assert isinstance(answer, ValidationError)


async def test_a_wrong_number_is_suppressed_and_no_other_call_uses_it(desk: Desk) -> None:
    assert (await desk.log(Disposition.WRONG_NUMBER)).next_step is NextStep.NUMBER_SUPPRESSED
    rows = await connection().execute_query_dict("SELECT channel, reason FROM suppressions ORDER BY channel")
    assert rows == [{"channel": "CALL", "reason": "WRONG_NUMBER"}, {"channel": "SMS", "reason": "WRONG_NUMBER"}]
    assert await CallbackTask.filter(state=CallbackState.CANCELLED).count() == 1


async def test_refused_withdraws_consent_for_calls_of_that_purpose_only(desk: Desk) -> None:
    same = await make.make_task(desk.member)
    assert (await desk.log(Disposition.REFUSED)).next_step is NextStep.CONSENT_WITHDRAWN
    rows = await connection().execute_query_dict("SELECT purpose, channel, state, how FROM consents")
    assert rows == [{"purpose": "PROMOTION", "channel": "CALL", "state": "WITHDRAWN", "how": "call:refused"}]
    assert (await CallbackTask.get(id=same.id)).state is CallbackState.CANCELLED
    assert await CallbackTask.filter(purpose=Purpose.CARE, state=CallbackState.OPEN).count() == 1


async def test_do_not_call_ends_every_call_to_her(desk: Desk) -> None:
    assert (await desk.log(Disposition.DO_NOT_CALL)).next_step is NextStep.DO_NOT_CALL
    assert await CallbackTask.filter(state__in=[CallbackState.OPEN, CallbackState.LEASED]).count() == 0
    rows = await connection().execute_query_dict("SELECT purpose FROM consents WHERE state = 'WITHDRAWN' ORDER BY 1")
    assert [row["purpose"] for row in rows] == ["CARE", "PROMOTION", "SERVICE"]


async def test_call_later_makes_a_promise_at_that_time_for_her_who_promised(desk: Desk) -> None:
    tuesday = make.NOON + timedelta(days=4)
    logged = await desk.log(Disposition.CALL_LATER, call_later_at=tuesday)
    promise = await CallbackTask.get(id=logged.promise_task_id)
    assert (promise.kind, promise.not_before, promise.owner_id) == ("PROMISE", tuesday, desk.actor.staff_id)
    assert (await desk.row()).state is CallbackState.DONE
    await set_business_clock(tuesday)
    taken = await queues.take_next(desk.actor)
    assert isinstance(taken, Lease)
    assert taken.task_id == promise.id


@pytest.mark.parametrize(
    ("disposition", "later"),
    [
        (Disposition.CALL_LATER, None),
        (Disposition.CALL_LATER, timedelta(minutes=-1)),
        (Disposition.CALL_LATER, timedelta(days=91)),
        (Disposition.NO_ANSWER, timedelta(days=1)),
    ],
)
async def test_a_promised_time_must_fit(desk: Desk, disposition: Disposition, later: timedelta | None) -> None:
    before = await world()
    answer = await outcomes.log_outcome(
        desk.actor, desk.task.id, desk.lease.fence, disposition, "", make.NOON + later if later else None
    )
    assert isinstance(answer, ValidationError)
    assert answer.errors[0].field == "callLaterAt"
    assert re.search(r"[\u4e00-\u9fff].*。$", answer.errors[0].message_zh)
    assert await world() == before


async def test_nobody_promises_a_call_at_night_and_the_answer_says_when_it_may_be(desk: Desk) -> None:
    await Member.filter(id=desk.member.id).update(time_zone="Asia/Shanghai")
    before = await world()
    night = make.NOON + timedelta(hours=6)  # 02:00 in Shanghai
    answer = await outcomes.log_outcome(desk.actor, desk.task.id, desk.lease.fence, Disposition.CALL_LATER, "", night)
    assert answer == ValidationError.of(
        "callLaterAt",
        "Outside contact hours. The next open moment, in her time: 2017-12-16 08:00.",
        "不在可联系时段内。按会员当地时间，最早可在 2017-12-16 08:00 致电。",
    )
    assert await world() == before
    await desk.log(Disposition.CALL_LATER, call_later_at=night + timedelta(hours=6))


@pytest.mark.parametrize("disposition", list(Disposition))
async def test_undo_restores_every_row_exactly(desk: Desk, disposition: Disposition) -> None:
    colleague = await make.make_actor()
    other = await CallbackTask.get(purpose=Purpose.CARE)
    assert isinstance(await leases.open_task(colleague, other.id), Lease)
    before = await world()
    later = make.NOON + timedelta(days=1) if disposition is Disposition.CALL_LATER else None
    logged = await desk.log(disposition, call_later_at=later)
    assert await world() != before
    undone = await outcomes.undo_outcome(desk.actor, logged.outcome_id)
    assert undone == OutcomeUndone(logged.outcome_id, desk.task.id, desk.member.id, disposition, "She was kind.")
    assert await world() == before
    assert await outcomes.undo_outcome(desk.actor, logged.outcome_id) == undone
    await desk.log(Disposition.REACHED)


STOP = Inbound(event_key="stop-1", from_address=PHONE, text="STOP", occurred_at=make.NOON)


async def test_undo_leaves_the_opt_out_that_came_after_the_outcome(desk: Desk) -> None:
    logged = await desk.log(Disposition.WRONG_NUMBER)
    assert await hear("sms_http", Channel.SMS, STOP)
    await suppress(Channel.CALL, PHONE, SuppressionReason.BOUNCED)  # no stronger, but somebody else's all the same
    assert isinstance(await outcomes.undo_outcome(desk.actor, logged.outcome_id), OutcomeUndone)
    rows = await connection().execute_query_dict("SELECT channel, reason FROM suppressions ORDER BY channel")
    assert rows == [{"channel": "CALL", "reason": "WRONG_NUMBER"}, {"channel": "SMS", "reason": "STOP_WORD"}]


async def test_undo_that_waits_for_an_opt_out_under_way_leaves_it(desk: Desk) -> None:
    logged = await desk.log(Disposition.WRONG_NUMBER)
    async with in_transaction():
        await suppress(Channel.SMS, PHONE, SuppressionReason.STOP_WORD)
        undoing = asyncio.create_task(outcomes.undo_outcome(desk.actor, logged.outcome_id), context=Context())
        await asyncio.sleep(0.3)
        assert not undoing.done()
    assert isinstance(await undoing, OutcomeUndone)
    rows = await connection().execute_query_dict("SELECT channel, reason FROM suppressions")
    assert rows == [{"channel": "SMS", "reason": "STOP_WORD"}]


async def test_her_own_word_replaces_a_weaker_reason_and_taken_back_that_one_is_restored(desk: Desk) -> None:
    found = await suppress(Channel.CALL, PHONE, SuppressionReason.STAFF)
    before = await world()
    said = await suppress(Channel.CALL, PHONE, SuppressionReason.DO_NOT_CALL, member_id=desk.member.id)
    row = await Suppression.get(id=found.id)
    assert (said.id, row.reason, row.member_id) == (found.id, SuppressionReason.DO_NOT_CALL, desk.member.id)
    await take_back(written(orjson.loads(orjson.dumps(asdict(said), default=str))))  # as an outcome keeps it
    assert await world() == before
    said = await suppress(Channel.CALL, PHONE, SuppressionReason.DO_NOT_CALL)
    await suppress(Channel.CALL, PHONE, SuppressionReason.STOP_WORD)
    await take_back(said)
    assert (await Suppression.get(id=found.id)).reason is SuppressionReason.DO_NOT_CALL


async def test_undo_is_over_after_ten_seconds_and_for_her_who_logged_only(desk: Desk) -> None:
    logged = await desk.log(Disposition.REACHED)
    stranger = await make.make_actor()
    assert await outcomes.undo_outcome(stranger, logged.outcome_id) == OutcomeNotFound(logged.outcome_id)
    then = real_now() - timedelta(seconds=11)
    await CallbackOutcome.filter(id=logged.outcome_id).update(logged_at=then)
    late = await outcomes.undo_outcome(desk.actor, logged.outcome_id)
    assert late == UndoTooLate(logged.outcome_id, then + timedelta(seconds=10))
    assert (await desk.row()).state is CallbackState.DONE


async def test_undo_does_not_take_a_call_away_from_somebody_who_has_it_now(desk: Desk) -> None:
    logged = await desk.log(Disposition.NO_ANSWER)
    colleague = await make.make_actor()
    assert isinstance(await leases.open_task(colleague, desk.task.id), Lease)
    assert await outcomes.undo_outcome(desk.actor, logged.outcome_id) == OutcomeOvertaken(logged.outcome_id)


async def test_a_lapsed_lease_cannot_log(desk: Desk) -> None:
    await CallbackTask.filter(id=desk.task.id).update(lease_until=real_now())
    before = await world()
    lost = await outcomes.log_outcome(desk.actor, desk.task.id, desk.lease.fence, Disposition.REACHED, "")
    assert lost == LeaseLost(desk.task.id, None, None)
    assert await world() == before
    unknown = make.any_id()
    missing = await outcomes.log_outcome(desk.actor, unknown, 1, Disposition.REACHED, "")
    assert missing == TaskNotFound(unknown)


async def test_the_same_outcome_sent_twice_at_once_is_logged_once(desk: Desk) -> None:
    answers = await asyncio.gather(
        *(outcomes.log_outcome(desk.actor, desk.task.id, desk.lease.fence, Disposition.REACHED, "") for _ in range(8))
    )
    assert sum(isinstance(answer, OutcomeLogged) for answer in answers) == 1
    assert sum(isinstance(answer, TaskClosed) for answer in answers) == 7
    assert await Interaction.all().count() == 1


async def test_two_consultants_ending_the_same_members_calls_do_not_block_each_other(desk: Desk) -> None:
    """Each cancels the task that the other has locked: without one order of locks this is a deadlock."""
    for _ in range(5):
        await Consent.all().delete()  # she lets herself be called again
        await Suppression.all().delete()
        actor, task = await make.make_actor(), await make.make_task(desk.member)
        lease = await leases.open_task(actor, task.id)
        assert isinstance(lease, Lease)
        await asyncio.gather(
            outcomes.log_outcome(actor, task.id, lease.fence, Disposition.DO_NOT_CALL, ""),
            outcomes.log_outcome(desk.actor, desk.task.id, desk.lease.fence, Disposition.DO_NOT_CALL, ""),
        )
    assert isinstance(await queues.take_next(desk.actor), NothingToCall)


async def test_a_process_killed_in_the_middle_leaves_nothing_half_done(db: str, desk: Desk) -> None:
    """The server ends the connection inside the transaction, as it does when the process at the other end dies."""
    before = await world()
    blocker = await asyncpg.connect(db)
    try:
        hold = blocker.transaction()
        await hold.start()
        await blocker.execute("LOCK TABLE consents IN ACCESS EXCLUSIVE MODE")
        logging = asyncio.create_task(desk.log(Disposition.DO_NOT_CALL))
        pid = await _pid_waiting_for_a_lock(blocker)
        await blocker.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(Exception, match=r"terminat|closed"):
            await logging
        await hold.rollback()
    finally:
        await blocker.close()
    assert await world() == before
    assert await CallbackOutcome.all().count() == 0
    await desk.log(Disposition.DO_NOT_CALL)


async def _pid_waiting_for_a_lock(watcher: asyncpg.Connection) -> int:
    for _ in range(200):
        pid = await watcher.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        if pid is not None:
            return int(pid)
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waited for the lock")


async def test_whoever_watches_hears_of_the_member_and_the_tasks_at_commit(db: str, desk: Desk) -> None:
    heard: list[tuple[str, str]] = []
    watcher = await asyncpg.connect(db)
    try:
        for topic in (MEMBER_TIMELINE, CALLBACK_LIST):
            await watcher.add_listener(topic, lambda _connection, _pid, channel, word: heard.append((channel, word)))
        lost = await outcomes.log_outcome(desk.actor, desk.task.id, desk.lease.fence + 1, Disposition.REACHED, "")
        assert isinstance(lost, LeaseLost)
        logged = await desk.log(Disposition.CALL_LATER, call_later_at=make.NOON + timedelta(days=1))
        await watcher.execute("SELECT 1")
        assert set(heard) == {
            (MEMBER_TIMELINE, str(desk.member.id)),
            (CALLBACK_LIST, str(desk.task.id)),
            (CALLBACK_LIST, str(logged.promise_task_id)),
        }
    finally:
        await watcher.close()
