"""Redecisions: between the making of a call-back and the call itself, days pass. May she still be called, now?"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from domain.care.callbacks import CallbackKind
from domain.care.withdrawals import is_answered
from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.outreach.attention import Counts
from domain.outreach.call_briefs import talking_points
from domain.outreach.contactability import Answer, decide
from domain.outreach.decisions import Decision, Verdict
from domain.outreach.facts import Snapshot, Wording, snapshot_to_json
from domain.outreach.hours import next_open, zone
from domain.outreach.intents import CallBrief, Intent
from domain.outreach.law.packs import hours_for
from domain.outreach.reasons import Reason
from domain.outreach.snapshots import take, take_again
from domain.people.consents import ConsentState, in_force
from domain.people.identities import callable_phones
from domain.platform.changes import CALLBACK_LIST, announce
from domain.platform.clock import local_day
from domain.platform.sources import Channel, Purpose
from domain.stages.engine import youngest_months

PROMISED = f"""
SELECT t.member_id, t.baby_id, t.purpose, t.intent_key, t.reason_code, t.not_before, t.expires_at,
    t.talking_points::text AS talking_points,
    (SELECT d.snapshot::text FROM decisions d WHERE d.id = t.decision_id) AS wished_before,
    EXISTS (SELECT 1 FROM identities i WHERE i.member_id = t.member_id AND i.kind = 'PHONE') AS has_phone,
    {in_force("t.member_id", "t.purpose", "'CALL'", "t.baby_id", since="t.created_at")} AS consent
FROM callback_tasks t WHERE t.id = $1
"""


async def may_still_call(task_id: UUID, now: datetime) -> bool:
    """Whether nothing stands in the way any more than when the task was made, and its reason still holds.

    `now` is on the business clock. If not, the task (locked by the caller) waits for contact hours, or is cancelled
    with what stands in the way.
    """
    rows = await connection().execute_query_dict(
        "SELECT message_id, kind, talking_points::text AS talking_points FROM callback_tasks WHERE id = $1", [task_id]
    )
    message_id = rows[0]["message_id"]
    taken = (await take_again([message_id], now)).get(message_id) if message_id else None
    until = now + timedelta(days=7)
    if taken is None:
        row = (await connection().execute_query_dict(PROMISED, [task_id]))[0]
        snapshot = await _promised(row, now, now, until)
    else:
        # The message holds its slot of her week already, and the task keeps its own times.
        snapshot = replace(taken.snapshot, touches=Counts(), not_before=now, expires_at=until)
    answer = decide(snapshot)
    await _keep(snapshot, answer)
    reason = answer.primary_reason
    possible_at = None if answer.verdict is Verdict.SUPPRESS else answer.next_possible_at
    if possible_at is None and reason is Reason.OK and await is_answered(task_id):
        reason = Reason.REASON_GONE
    if reason is Reason.OK:
        await _say_lawfully(task_id, CallbackKind(rows[0]["kind"]), rows[0]["talking_points"], snapshot)
        return True
    await connection().execute_query(
        "UPDATE callback_tasks SET state = $2, lease_account_id = NULL, lease_until = NULL, release_reason = $3, "
        "not_before = coalesce($4, not_before), closed_at = $5, version = version + 1 WHERE id = $1",
        [task_id, "OPEN" if possible_at else "CANCELLED", reason.value, possible_at, None if possible_at else now],
    )
    await announce(CALLBACK_LIST, task_id)
    return False


async def decide_promise(task_id: UUID, now: datetime) -> None:
    """Decide the call that was promised just now, and note on its task what may be said on it.

    In the caller's transaction. A promise that nobody could keep was refused before, so this finds when it may be kept.
    """
    row = (await connection().execute_query_dict(PROMISED, [task_id]))[0]
    snapshot = await _promised(row, now, row["not_before"], row["expires_at"])
    decision = await _keep(snapshot, decide(snapshot))
    await connection().execute_query("UPDATE callback_tasks SET decision_id = $2 WHERE id = $1", [task_id, decision.id])
    await _say_lawfully(task_id, CallbackKind.PROMISE, row["talking_points"], snapshot)


async def _say_lawfully(task_id: UUID, kind: CallbackKind, noted: str, snapshot: Snapshot) -> None:
    """Note on the task what the law lets nobody say, of her children as they are at this moment.

    `noted` are the points that stand there, as JSON text. A baby was born since the call was wished, or grew out of
    the rule: points that name a rule are never older than the call.
    """
    ages = [
        youngest_months(child.dates, local_day(snapshot.at, zone(snapshot.zones[0]))) for child in snapshot.children
    ]
    were = orjson.loads(noted)
    kept = [point for point in were if "rule" not in point]
    known = {point["code"] for point in kept}
    points = kept + [one for one in talking_points(kind, snapshot.jurisdiction, ages) if one["code"] not in known]
    if any(point not in were for point in points) or len(points) < len(were):
        await connection().execute_query(
            "UPDATE callback_tasks SET talking_points = $2::text::jsonb WHERE id = $1",
            [task_id, orjson.dumps(points).decode()],
        )


async def _promised(row: dict[str, Any], now: datetime, not_before: datetime, expires_at: datetime) -> Snapshot:
    """What contactability looks at, of a call that she asked for herself.

    Her asking is the consent to this one call, so only a consent that she withdrew since is in its way. It takes
    nothing of her weekly attention, and who promised knows the words. Any number of hers will do; when none is
    known, who called before knows one.
    """
    before = orjson.loads(row["wished_before"] or "{}")  # of the call in which she asked for this one
    intent = Intent(
        row["member_id"], Channel.CALL, Purpose(row["purpose"]), "call.PROMISE", row["intent_key"], not_before,
        expires_at, row["baby_id"],
        formula_class=FormulaClass(before.get("formula_class", FormulaClass.NONE)),
        has_reward=before.get("has_reward", False), is_about_babies=before.get("is_about_babies", False),
        call=CallBrief(CallbackKind.PROMISE, row["reason_code"], {}, [], 0.0),
    )  # fmt: skip
    (taken,) = await take([intent], now)
    found, hours = taken.snapshot, hours_for(taken.snapshot.jurisdiction, Channel.CALL, intent.purpose)
    is_callable = not row["has_phone"] or bool(await callable_phones(row["member_id"]))
    has_common_hour = next_open(max(now, not_before), found.zones, hours) is not None
    return replace(
        found,
        zones=found.zones if has_common_hour else found.zones[:1],
        consent=ConsentState.WITHDRAWN if row["consent"] == ConsentState.WITHDRAWN else ConsentState.GRANTED,
        suppression=None if is_callable else found.suppression or Reason.SUPPRESSED_ADDRESS.value,
        has_address=True,
        wording=Wording(0, taken.language, intent.purpose, FormulaClass.NONE, False),
        touches=Counts(),
    )


async def _keep(snapshot: Snapshot, answer: Answer) -> Decision:
    return await Decision.create(
        member_id=snapshot.member_id, intent_key=snapshot.intent_key, channel=snapshot.channel,
        purpose=snapshot.purpose, verdict=answer.verdict, primary_reason=answer.primary_reason,
        reasons=list(answer.reasons), next_possible_at=answer.next_possible_at,
        snapshot=snapshot_to_json(snapshot), rules_version=answer.rules_version, decided_at=snapshot.at,
    )  # fmt: skip


def call_at(at: datetime, jurisdiction: str, purpose: Purpose, own_zone: str, store_zone: str | None) -> datetime:
    """The first moment from `at` on at which she may be called: `at` itself within contact hours. Pure.

    As contactability has it: hours run where she lives and where her store is. When these never meet, hers count.
    """
    hours = hours_for(jurisdiction, Channel.CALL, purpose)
    zones = (own_zone, store_zone) if store_zone else (own_zone,)
    found = next_open(at, zones, hours) or next_open(at, (own_zone,), hours)
    return found or at
