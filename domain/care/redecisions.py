"""Redecisions: between the making of a call-back and the call itself, days pass. May she still be called, now?"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.care.withdrawals import is_answered
from domain.database import connection
from domain.outreach.contactability import decide
from domain.outreach.decisions import Verdict
from domain.outreach.hours import next_open
from domain.outreach.law.packs import hours_for
from domain.outreach.reasons import Reason
from domain.outreach.snapshots import take_again
from domain.people.consents import ConsentState, in_force
from domain.people.identities import callable_phones
from domain.people.members import MemberStatus
from domain.platform.changes import CALLBACK_LIST, announce
from domain.platform.sources import Channel, Purpose

PROMISED = f"""
SELECT t.member_id, t.purpose, m.status, m.jurisdiction, m.time_zone, s.time_zone AS store_zone,
    coalesce(b.stopped_at IS NOT NULL, false) AS is_lost,
    EXISTS (SELECT 1 FROM identities i WHERE i.member_id = m.id AND i.kind = 'PHONE') AS has_phone,
    {in_force("m.id", "t.purpose", "'CALL'", "t.baby_id", since="t.created_at")} AS consent
FROM callback_tasks t JOIN members m ON m.id = t.member_id LEFT JOIN stores s ON s.id = m.store_id
LEFT JOIN babies b ON b.id = t.baby_id
WHERE t.id = $1
"""


async def may_still_call(task_id: UUID, now: datetime) -> bool:
    """Whether nothing stands in the way any more than when the task was made, and its reason still holds.

    `now` is on the business clock. If not, the task (locked by the caller) waits for contact hours, or is cancelled
    with what stands in the way.
    """
    rows = await connection().execute_query_dict("SELECT message_id FROM callback_tasks WHERE id = $1", [task_id])
    message_id = rows[0]["message_id"]
    taken = (await take_again([message_id], now)).get(message_id) if message_id else None
    if taken is None:
        reason, possible_at = await _promised(task_id, now)
    else:
        # The message holds its slot of her week already, and the task keeps its own times.
        answer = decide(replace(taken.snapshot, week_touches=0, not_before=now, expires_at=now + timedelta(days=7)))
        is_final = answer.verdict is Verdict.SUPPRESS
        reason, possible_at = answer.primary_reason, None if is_final else answer.next_possible_at
    if possible_at is None and reason is Reason.OK and await is_answered(task_id):
        reason = Reason.REASON_GONE
    if reason is Reason.OK:
        return True
    await connection().execute_query(
        "UPDATE callback_tasks SET state = $2, lease_account_id = NULL, lease_until = NULL, release_reason = $3, "
        "not_before = coalesce($4, not_before), closed_at = $5, version = version + 1 WHERE id = $1",
        [task_id, "OPEN" if possible_at else "CANCELLED", reason.value, possible_at, None if possible_at else now],
    )
    await announce(CALLBACK_LIST, task_id)
    return False


async def _promised(task_id: UUID, now: datetime) -> tuple[Reason, datetime | None]:
    """What stands in the way of a call that she asked for herself, and when it ends by itself.

    Her asking is the consent to this one call, so only a consent that she withdrew since is in its way.
    """
    row = (await connection().execute_query_dict(PROMISED, [task_id]))[0]
    if row["status"] != MemberStatus.ACTIVE:
        return Reason.MEMBER_ERASED if row["status"] == MemberStatus.ERASED else Reason.MEMBER_BLOCKED, None
    if row["is_lost"]:
        return Reason.LOSS, None
    if row["consent"] == ConsentState.WITHDRAWN:
        return Reason.CONSENT_WITHDRAWN, None
    if row["has_phone"] and not await callable_phones(row["member_id"]):
        return Reason.SUPPRESSED_ADDRESS, None
    possible_at = call_at(now, row["jurisdiction"], Purpose(row["purpose"]), row["time_zone"], row["store_zone"])
    return (Reason.OK, None) if possible_at == now else (Reason.QUIET_HOURS, possible_at)


def call_at(at: datetime, jurisdiction: str, purpose: Purpose, zone: str, store_zone: str | None) -> datetime:
    """The first moment from `at` on at which she may be called: `at` itself within contact hours. Pure.

    As contactability has it: hours run where she lives and where her store is. When these never meet, hers count.
    """
    hours = hours_for(jurisdiction, Channel.CALL, purpose)
    zones = (zone, store_zone) if store_zone else (zone,)
    found = next_open(at, zones, hours) or next_open(at, (zone,), hours)
    return found or at
