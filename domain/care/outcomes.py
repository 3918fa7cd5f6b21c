"""Outcomes: what came of a call, its next step, and ten seconds to take it back as if it had never been said."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from tortoise.transactions import in_transaction

from domain.care.callbacks import CallbackKind, CallbackTask, Disposition
from domain.care.dispositions import PROMISE_PRIORITY, PROMISE_WINDOW, NextStep, Plan, plan, wrong_time
from domain.care.interactions import NOTE_LENGTH, Direction, Heard, InteractionKind, Note, write_interaction
from domain.care.leases import LeaseLost, TaskClosed, TaskNotFound, holding
from domain.care.promises import REACHED_AT, out_of_reach, wrong_hour
from domain.care.redecisions import decide_promise
from domain.care.withdrawals import cancel_calls
from domain.database import connection
from domain.gateway.suppressions import Suppressed, SuppressionReason, suppress, take_back, written
from domain.people.consents import ConsentEvidence, ConsentState, write_consent
from domain.people.identities import callable_phones
from domain.platform.actors import Actor
from domain.platform.changes import CALLBACK_LIST, MEMBER_TIMELINE, announce, announce_all
from domain.platform.clock import business_now, real_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose, Source

UNDO_WINDOW = timedelta(seconds=10)  # real clock
NOTHING_HEARD = Heard()


@dataclass(frozen=True, slots=True)
class OutcomeLogged:
    outcome_id: UUID
    task_id: UUID
    member_id: UUID
    interaction_id: UUID
    next_step: NextStep
    retry_at: datetime | None  # business clock
    promise_task_id: UUID | None
    undo_until: datetime  # real clock


@dataclass(frozen=True, slots=True)
class OutcomeUndone:
    """With what had been logged, so that it need not be typed again."""

    outcome_id: UUID
    task_id: UUID
    member_id: UUID
    disposition: Disposition
    note: str


@dataclass(frozen=True, slots=True)
class OutcomeNotFound:
    """No such outcome, or not the actor's own."""

    outcome_id: UUID


@dataclass(frozen=True, slots=True)
class UndoTooLate:
    """The ten seconds are over."""

    outcome_id: UUID
    until: datetime  # real clock


@dataclass(frozen=True, slots=True)
class OutcomeOvertaken:
    """Somebody has already gone on from the outcome: the task or the promise that it made has moved."""

    outcome_id: UUID


async def log_outcome(
    actor: Actor,
    task_id: UUID,
    fence: int,
    disposition: Disposition,
    note: str,
    call_later_at: datetime | None = None,
    heard: Heard = NOTHING_HEARD,
) -> OutcomeLogged | TaskNotFound | TaskClosed | LeaseLost | NotPermitted | ValidationError:
    """Close or reschedule the task by its disposition, with everything that follows, in one transaction.

    The attempt is on the member's timeline; suppression, withdrawn consent, cancelled calls and a promise take effect
    at once. `call_later_at` is on the business clock; outside contact hours it is refused with the next open moment,
    because a time that two people agree on is theirs to change, while she is still on the line. So is a call that
    could never be made.
    """
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    if len(note) > NOTE_LENGTH:
        return ValidationError.of("note", f"At most {NOTE_LENGTH} characters.", f"最多{NOTE_LENGTH}个字符。")
    misheard = heard.flaw() or _unpromised(heard, call_later_at)
    if misheard is not None:
        return misheard
    async with in_transaction():
        member = await _lock_member_of(task_id)
        if member is None:
            return TaskNotFound(task_id)
        task = await holding(actor, task_id, fence)
        if not isinstance(task, dict):
            return task
        now = await business_now()
        flaw = wrong_time(disposition, call_later_at, now) or wrong_hour(
            call_later_at, Purpose(task["purpose"]), member
        )
        if flaw is None and call_later_at is not None:
            flaw = await out_of_reach(task["member_id"], member)
        if flaw is not None:
            return ValidationError.of("callLaterAt", *flaw)
        outcome_plan = plan(
            disposition,
            attempt=task["attempts"] + 1,
            max_attempts=task["max_attempts"],
            purpose=Purpose(task["purpose"]),
            now=now,
            expires_at=task["expires_at"],
            zone=member["time_zone"],
            call_later_at=call_later_at,
        )
        return await _write(actor, task, disposition, note.strip(), heard, outcome_plan, now)


async def undo_outcome(
    actor: Actor, outcome_id: UUID
) -> OutcomeUndone | OutcomeNotFound | UndoTooLate | OutcomeOvertaken | NotPermitted:
    """Put back every row that logging the outcome touched, exactly, and drop those it made. Idempotent.

    Only she who logged it, within UNDO_WINDOW, and while nobody has gone on from it.
    """
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    async with in_transaction():
        outcome = await _lock_outcome(actor, outcome_id)
        if outcome is None:
            return OutcomeNotFound(outcome_id)
        before = orjson.loads(outcome["before"])
        answer = OutcomeUndone(
            outcome_id, outcome["task_id"], outcome["member_id"], Disposition(outcome["disposition"]), outcome["note"]
        )
        if outcome["undone_at"] is not None:
            return answer
        until = outcome["logged_at"] + UNDO_WINDOW
        if real_now() > until:
            return UndoTooLate(outcome_id, until)
        if not await _is_untouched(before):
            return OutcomeOvertaken(outcome_id)
        await _put_back(before)
        await connection().execute_query(
            "UPDATE callback_outcomes SET undone_at = $2, interaction_id = NULL, suppression_id = NULL WHERE id = $1",
            [outcome_id, real_now()],
        )
        await _tell(outcome["task_id"], outcome["member_id"])
        return answer


async def _lock_member_of(task_id: UUID) -> dict[str, Any] | None:
    """Lock the member before the task, as everybody does who may cancel her other calls; answers her place."""
    rows = await connection().execute_query_dict(
        f"SELECT {REACHED_AT} FROM members m "
        "WHERE m.id = (SELECT member_id FROM callback_tasks WHERE id = $1) FOR NO KEY UPDATE OF m",
        [task_id],
    )
    return rows[0] if rows else None


def _unpromised(heard: Heard, call_later_at: datetime | None) -> ValidationError | None:
    if not heard.promise.strip() or call_later_at is not None:
        return None
    return ValidationError.of("callLaterAt", "Say when you promised to call.", "请填写约定的致电时间。")


async def _write(
    actor: Actor,
    task: dict[str, Any],
    disposition: Disposition,
    note: str,
    heard: Heard,
    outcome_plan: Plan,
    now: datetime,
) -> OutcomeLogged:
    outcome_id, logged_at, member_id = new_id(), real_now(), task["member_id"]
    image = await connection().execute_query_dict(
        "SELECT to_jsonb(t)::text AS row FROM callback_tasks t WHERE id = $1", [task["id"]]
    )
    before: dict[str, Any] = {"task": orjson.loads(image[0]["row"]), "after_version": task["version"] + 1}
    await _move(task, disposition, outcome_plan, now)
    before["promise_id"] = await _promise(actor, task, outcome_id, heard.promise.strip(), outcome_plan, now)
    spoken = Note(
        InteractionKind.CALL, Channel.CALL, Direction.OUTBOUND,
        topic=task["reason_code"], text=note, baby_id=task["baby_id"], task_id=task["id"], heard=heard,
        call_at=outcome_plan.promise_at, promise_task_id=before["promise_id"],
    )  # fmt: skip
    before["interaction_id"] = await write_interaction(actor, member_id, spoken, now)
    suppressed = await _suppress(member_id, disposition, outcome_plan)
    before["suppressions"] = [asdict(one) for one in suppressed]
    before["consent_ids"] = await _withdraw(actor, member_id, disposition, outcome_plan, now)
    before["cancelled"] = await _cancel(member_id, task["id"], outcome_plan, now)
    await connection().execute_query(
        "INSERT INTO callback_outcomes (id, task_id, attempt, disposition, note, next_step, call_later_at, account_id, "
        "interaction_id, suppression_id, before, logged_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            outcome_id, task["id"], task["attempts"] + 1, disposition, note, outcome_plan.next_step,
            outcome_plan.promise_at, actor.account_id, before["interaction_id"],
            suppressed[0].id if suppressed else None, orjson.dumps(before, default=str).decode(), logged_at,
        ],
    )  # fmt: skip
    await _tell(task["id"], member_id)
    return OutcomeLogged(
        outcome_id, task["id"], member_id, before["interaction_id"], outcome_plan.next_step, outcome_plan.retry_at,
        before["promise_id"], logged_at + UNDO_WINDOW,
    )  # fmt: skip


async def _move(task: dict[str, Any], disposition: Disposition, outcome_plan: Plan, now: datetime) -> None:
    """The task goes back on the list for its retry, or to its end."""
    retry_at = outcome_plan.retry_at
    await connection().execute_query(
        "UPDATE callback_tasks SET state = $2, lease_account_id = NULL, lease_until = NULL, attempts = attempts + 1, "
        "disposition = $3, not_before = coalesce($4, not_before), closed_at = $5, version = version + 1 WHERE id = $1",
        [task["id"], "OPEN" if retry_at else "DONE", disposition, retry_at, None if retry_at else now],
    )


async def _suppress(member_id: UUID, disposition: Disposition, outcome_plan: Plan) -> list[Suppressed]:
    """Suppress the number that was called; answers what this call wrote."""
    if not outcome_plan.suppress:
        return []
    phones = await callable_phones(member_id)
    if not phones:
        return []
    wrong = disposition is Disposition.WRONG_NUMBER
    reason = SuppressionReason.WRONG_NUMBER if wrong else SuppressionReason.DO_NOT_CALL
    made = [
        await suppress(channel, phones[0], reason, member_id=member_id) for channel in sorted(outcome_plan.suppress)
    ]
    return [one for one in made if one.is_new or one.replaced]


async def _withdraw(
    actor: Actor, member_id: UUID, disposition: Disposition, outcome_plan: Plan, now: datetime
) -> list[UUID]:
    evidence = ConsentEvidence(how=f"call:{disposition.value.lower()}")
    return [
        await write_consent(
            member_id, purpose, Channel.CALL, ConsentState.WITHDRAWN, evidence,
            source=Source.MEMBER, now=now, recorded_by=actor.account_id,
        )
        for purpose in outcome_plan.withdraw
    ]  # fmt: skip


async def _cancel(member_id: UUID, task_id: UUID, outcome_plan: Plan, now: datetime) -> list[dict[str, Any]]:
    """Her other calls leave the lists when she wants none of them, or when no number of hers is left to call."""
    purposes = outcome_plan.withdraw
    if outcome_plan.suppress and not await callable_phones(member_id):
        purposes = tuple(Purpose)
    return await cancel_calls(member_id, purposes, now, but=task_id) if purposes else []


async def _promise(
    actor: Actor, task: dict[str, Any], outcome_id: UUID, words: str, outcome_plan: Plan, now: datetime
) -> UUID | None:
    """A new task at the promised time, for her who promised; what the call was about goes with it."""
    if outcome_plan.promise_at is None:
        return None
    promise_id = new_id()
    await connection().execute_query(
        "INSERT INTO callback_tasks (id, member_id, baby_id, kind, purpose, intent_key, reason_code, reason, "
        "talking_points, priority, owner_id, store_id, not_before, expires_at, max_attempts, decision_id, created_at) "
        "SELECT $2, member_id, baby_id, $3, purpose, $4, 'PROMISED_CALL', "
        "reason || jsonb_build_object('about', coalesce(reason->>'about', reason_code), "
        "'promised_at', $5::timestamptz) || CASE WHEN $10 = '' THEN '{}' ELSE jsonb_build_object('promise', $10::text) "
        "END, talking_points, $6, "
        "coalesce($7, owner_id), store_id, $5, $8, max_attempts, decision_id, $9 FROM callback_tasks WHERE id = $1",
        [
            task["id"], promise_id, CallbackKind.PROMISE, f"promise:{outcome_id}", outcome_plan.promise_at,
            PROMISE_PRIORITY, actor.staff_id, outcome_plan.promise_at + PROMISE_WINDOW, now, words,
        ],
    )  # fmt: skip
    await decide_promise(promise_id, now)
    await announce(CALLBACK_LIST, promise_id)
    return promise_id


async def _lock_outcome(actor: Actor, outcome_id: UUID) -> dict[str, Any] | None:
    """Member, then outcome, then (in `_is_untouched`) tasks: the order in which logging takes its locks."""
    rows = await connection().execute_query_dict(
        "SELECT m.id FROM members m WHERE m.id = (SELECT t.member_id FROM callback_tasks t "
        "JOIN callback_outcomes o ON o.task_id = t.id WHERE o.id = $1 AND o.account_id = $2) "
        "AND m.status <> 'ERASED' FOR NO KEY UPDATE",
        [outcome_id, actor.account_id],
    )
    if not rows:
        return None
    found = await connection().execute_query_dict(
        "SELECT o.*, $2::uuid AS member_id FROM callback_outcomes o WHERE o.id = $1 FOR UPDATE",
        [outcome_id, rows[0]["id"]],
    )
    return found[0]


async def _is_untouched(before: dict[str, Any]) -> bool:
    """Whether the task stands as the outcome left it and nobody has taken the promise up. Locks all of them."""
    versions = {before["task"]["id"]: before["after_version"]}
    versions |= {row["id"]: row["version"] + 1 for row in before["cancelled"]}
    if before["promise_id"]:
        versions[before["promise_id"]] = 1
    rows = await connection().execute_query_dict(
        "SELECT id, version FROM callback_tasks WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", [list(versions)]
    )
    return {str(row["id"]): row["version"] for row in rows} == versions


async def _put_back(before: dict[str, Any]) -> None:
    run = connection().execute_query
    columns = [column for column in CallbackTask._meta.fields_db_projection.values() if column != "id"]  # noqa: SLF001
    names, values = ", ".join(columns), ", ".join(f"was.{column}" for column in columns)
    for image in (before["task"], *before["cancelled"]):
        await run(
            f"UPDATE callback_tasks t SET ({names}) = ROW({values}) "
            "FROM jsonb_populate_record(NULL::callback_tasks, $1::jsonb) was WHERE t.id = was.id",
            [orjson.dumps(image).decode()],
        )
    await announce_all(CALLBACK_LIST, [UUID(image["id"]) for image in before["cancelled"]])
    await run("DELETE FROM callback_tasks WHERE id = $1", [before["promise_id"]])
    await run("DELETE FROM interactions WHERE id = $1", [before["interaction_id"]])
    for one in before["suppressions"]:
        await take_back(written(one))
    await run("DELETE FROM consents WHERE id = ANY($1::uuid[])", [before["consent_ids"]])


async def _tell(task_id: UUID, member_id: UUID) -> None:
    await announce(CALLBACK_LIST, task_id)
    await announce(MEMBER_TIMELINE, member_id)
