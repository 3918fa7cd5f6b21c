"""Promises: what we said we would do for her and when, in the words of the moment. A promise is a call to make."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.care.callbacks import CallbackKind, Disposition
from domain.care.dispositions import PROMISE_PRIORITY, PROMISE_WINDOW, wrong_time
from domain.care.redecisions import call_at, decide_promise
from domain.database import connection
from domain.outreach.hours import zone
from domain.people.identities import callable_phones
from domain.people.members import MemberStatus
from domain.platform.actors import Actor
from domain.platform.changes import CALLBACK_LIST, announce
from domain.platform.failures import ValidationError
from domain.platform.ids import new_id
from domain.platform.sources import Purpose


class PromiseState(StrEnum):
    """What became of it, read from its task."""

    OPEN = "OPEN"
    KEPT = "KEPT"  # she was reached
    TRIED = "TRIED"  # she was called, and not reached
    BROKEN = "BROKEN"  # its time is over, and nobody called
    CALLED_OFF = "CALLED_OFF"  # withdrawn: consent, a loss, a number that is gone


STATE = """(
    SELECT CASE
        WHEN p.state = 'CANCELLED' THEN 'CALLED_OFF'
        WHEN p.state = 'DONE' AND p.disposition NOT IN ('NO_ANSWER', 'BUSY', 'WRONG_NUMBER') THEN 'KEPT'
        WHEN p.state = 'DONE' THEN 'TRIED'
        WHEN p.state <> 'EXPIRED' AND p.expires_at > (SELECT business_now()) THEN 'OPEN'
        WHEN p.attempts > 0 THEN 'TRIED'
        ELSE 'BROKEN'
    END
    FROM callback_tasks p WHERE p.id = {t}.promise_task_id
)"""
"""The state of the promise of a row `interactions {t}`; null where nothing was promised."""

REACHED_AT = """
    m.status, m.jurisdiction, m.time_zone, (SELECT s.time_zone FROM stores s WHERE s.id = m.store_id) AS store_zone,
    EXISTS (SELECT FROM identities i WHERE i.member_id = m.id AND i.kind = 'PHONE') AS has_phone
"""
"""Of a row `members m`, what `wrong_hour` and `out_of_reach` look at."""

PLACE = f"""
SELECT {REACHED_AT},
    EXISTS (SELECT FROM babies b WHERE b.id = $2 AND b.stopped_at IS NOT NULL) AS is_stopped
FROM members m WHERE m.id = $1
"""

OPEN = """
INSERT INTO callback_tasks (
    id, member_id, baby_id, kind, purpose, intent_key, reason_code, reason, talking_points, priority, owner_id,
    store_id, not_before, expires_at, created_at
)
SELECT
    $2, m.id, $3, $4, $5, $6, 'PROMISED_CALL',
    jsonb_build_object('promise', $7::text, 'promised_at', $8::timestamptz), '[]', $9, coalesce($10, m.owner_id),
    coalesce(m.store_id, $11), $8, $12, $13
FROM members m WHERE m.id = $1
"""


def wrong_hour(call_later_at: datetime | None, purpose: Purpose, member: dict[str, Any]) -> tuple[str, str] | None:
    """Why nobody may call her then, and from when on somebody may, in her own time; in both languages."""
    if call_later_at is None:
        return None
    possible_at = call_at(call_later_at, member["jurisdiction"], purpose, member["time_zone"], member["store_zone"])
    if possible_at == call_later_at:
        return None
    hers = f"{possible_at.astimezone(zone(member['time_zone'])):%Y-%m-%d %H:%M}"
    return (
        f"Outside contact hours. The next open moment, in her time: {hers}.",
        f"不在可联系时段内。按会员当地时间，最早可在 {hers} 致电。",
    )


async def promise_flaw(member_id: UUID, baby_id: UUID | None, at: datetime, now: datetime) -> ValidationError | None:
    """Why a call could not be made then: said while she is still there, not found out when the day has come.

    Both moments are on the business clock.
    """
    member = (await connection().execute_query_dict(PLACE, [member_id, baby_id]))[0]
    flaw = wrong_time(Disposition.CALL_LATER, at, now) or wrong_hour(at, Purpose.SERVICE, member)
    if flaw is not None:
        return ValidationError.of("promise.callAt", *flaw)
    if member["is_stopped"]:
        return ValidationError.of(
            "promise",
            "Content about this baby was stopped: promise the call without the baby.",
            "此宝宝的相关内容已停止：请不要针对该宝宝约定回访。",
        )
    flaw = await out_of_reach(member_id, member)
    return None if flaw is None else ValidationError.of("promise", *flaw)


async def out_of_reach(member_id: UUID, member: dict[str, Any]) -> tuple[str, str] | None:
    """Why nobody may call her at any hour, in both languages; `member` has her `status` and `has_phone`."""
    if member["status"] != MemberStatus.ACTIVE:
        return "She is blocked: nobody may call her.", "该会员已停用，不能致电。"
    if member["has_phone"] and not await callable_phones(member_id):
        return (
            "No number of hers may be called: ask her for another, or agree on something else.",
            "该会员没有可拨打的号码：请另留号码或另作约定。",
        )
    return None


async def open_promise(
    actor: Actor, member_id: UUID, baby_id: UUID | None, words: str, at: datetime, interaction_id: UUID, now: datetime
) -> UUID:
    """The call that keeps it, for her who promised and else for the member's owner; in the caller's transaction.

    Both moments are on the business clock. Her asking is the consent to this one call.
    """
    task_id = new_id()
    await connection().execute_query(
        OPEN,
        [
            member_id, task_id, baby_id, CallbackKind.PROMISE, Purpose.SERVICE, f"promise:{interaction_id}", words, at,
            PROMISE_PRIORITY, actor.staff_id, actor.store_id, at + PROMISE_WINDOW, now,
        ],
    )  # fmt: skip
    await decide_promise(task_id, now)
    await announce(CALLBACK_LIST, task_id)
    return task_id
