"""Redecisions: between the making of a call-back and the call itself, days pass. May she still be called, now?"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.database import connection
from domain.outreach.contactability import decide
from domain.outreach.decisions import Verdict
from domain.outreach.snapshots import take_again
from domain.platform.changes import CALLBACK_LIST, announce


async def may_still_call(task_id: UUID, now: datetime) -> bool:
    """Whether nothing stands in the way any more than when the task was made; `now` is on the business clock.

    If not, the task (locked by the caller) waits for contact hours, or is cancelled with the reason. A promised call
    was asked for by the member and is not asked about again; withdrawing consent cancels it by itself.
    """
    rows = await connection().execute_query_dict(
        "SELECT message_id FROM callback_tasks WHERE id = $1 AND message_id IS NOT NULL", [task_id]
    )
    if not rows:
        return True
    message_id = rows[0]["message_id"]
    taken = (await take_again([message_id], now)).get(message_id)
    if taken is None:
        return True
    # The message holds its slot of her week already, and the task keeps its own times.
    answer = decide(replace(taken.snapshot, week_touches=0, not_before=now, expires_at=now + timedelta(days=7)))
    if answer.verdict is Verdict.SEND:
        return True
    is_final = answer.verdict is Verdict.SUPPRESS
    await connection().execute_query(
        "UPDATE callback_tasks SET state = $2, lease_account_id = NULL, lease_until = NULL, release_reason = $3, "
        "not_before = coalesce($4, not_before), closed_at = $5, version = version + 1 WHERE id = $1",
        [
            task_id, "CANCELLED" if is_final else "OPEN", answer.primary_reason.value,
            None if is_final else answer.next_possible_at, now if is_final else None,
        ],
    )  # fmt: skip
    await announce(CALLBACK_LIST, task_id)
    return False
