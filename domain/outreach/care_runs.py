"""Care runs: one a business day; each gives every member at most what she should get."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.models import Model

from domain.care.withdrawals import cancel_answered
from domain.database import connection
from domain.gateway.messages import plan
from domain.outreach import care_ahead, templates
from domain.outreach.act_rules import ACT_RULES, ActRules
from domain.outreach.next_acts import Today, calls, offers
from domain.outreach.shelves import suggestible_shelves
from domain.platform.clock import business_now, real_now
from domain.platform.ids import new_id

NOBODY = UUID(int=0)


class CareRun(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    run_on = fields.DateField(unique=True)  # business date
    started_at = fields.DatetimeField()  # real clock
    finished_at = fields.DatetimeField(null=True)  # real clock
    # eligible = sent + held + suppressed, by channel and reason; and the rules that care was planned by
    counts: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "care_runs"


@dataclass(frozen=True, slots=True)
class CareReport:
    """What a run planned: eligible = sent + held + suppressed, exactly. `by`: channel, purpose, verdict, reason, n."""

    run_id: UUID
    run_on: date
    is_repeat: bool  # the day's run was finished before: nothing was done
    eligible: int
    sent: int
    held: int
    suppressed: int
    by: tuple[dict[str, Any], ...]


async def run(run_on: date, rules: ActRules = ACT_RULES) -> CareReport:
    """The care of one business date. Idempotent, and resumable wherever it was killed.

    Each batch of members is planned in a transaction of its own under keys that a repeated wish shares, and who got
    something in this run is passed over. A finished run answers its counts again and does nothing.
    """
    run_id, is_finished = await _open(run_on)
    if is_finished:
        return await _report(run_id, run_on, is_repeat=True)
    await templates.seed()
    today = Today(run_id, run_on, await business_now(), rules)
    await _plan_calls(today)
    await _plan_care(today)
    await _plan_offers(today)
    report = await _report(run_id, run_on, is_repeat=False)
    await _close(report)
    return report


async def build_lists(run_on: date, rules: ActRules = ACT_RULES) -> CareReport:
    """The first half of that date's care: its calls, so that the lists stand when people come. Idempotent.

    The care run counts them as its own, and builds the lists itself when nobody did.
    """
    run_id, is_finished = await _open(run_on)
    if not is_finished:
        await templates.seed()
        await _plan_calls(Today(run_id, run_on, await business_now(), rules))
    return await _report(run_id, run_on, is_repeat=is_finished)


async def planned(run_on: date) -> CareReport | None:
    """What was planned for one business date until now; None when nobody began it. Writes nothing."""
    rows = await connection().execute_query_dict("SELECT id FROM care_runs WHERE run_on = $1", [run_on])
    return await _report(rows[0]["id"], run_on, is_repeat=True) if rows else None


async def _open(run_on: date) -> tuple[UUID, bool]:
    """The run of a date, made when there is none: (id, whether it is finished)."""
    await connection().execute_query(
        "INSERT INTO care_runs (id, run_on, started_at) VALUES ($1, $2, $3) ON CONFLICT (run_on) DO NOTHING",
        [new_id(), run_on, real_now()],
    )
    rows = await connection().execute_query_dict(
        "SELECT id, finished_at IS NOT NULL AS is_finished FROM care_runs WHERE run_on = $1", [run_on]
    )
    return rows[0]["id"], rows[0]["is_finished"]


async def _plan_calls(today: Today) -> None:
    """Fill the lists up to what people can work today; who may not, or need not, be called makes room for the next."""
    await cancel_answered(today.at)
    if await _is_past(today.on):
        return
    room, per_owner = await _room_for_calls(today)
    while room > 0:
        wanted = await calls(today, room, per_owner)
        planned = await plan(wanted)
        room -= planned.sent + planned.held
        if planned.eligible == 0:
            return


async def _is_past(on: date) -> bool:
    """Whether a later day has its list: who is to be called stands on that one, and a missed day adds nothing to it."""
    rows = await connection().execute_query_dict(
        "SELECT EXISTS (SELECT FROM care_runs WHERE run_on > $1) AS is_past", [on]
    )
    return bool(rows[0]["is_past"])


async def _room_for_calls(today: Today) -> tuple[int, int]:
    """(calls that still fit into this run, calls that one owner can make a day).

    A run adds a day's work at most, and nothing once two days' work is waiting.
    """
    rules = today.rules
    rows = await connection().execute_query_dict(
        "SELECT (SELECT count(*) FROM staff WHERE is_active AND scope = 'OWN') AS consultants, "
        "(SELECT count(*) FROM staff WHERE is_active AND scope = 'STORE') AS advisors, "
        "(SELECT count(*) FROM callback_tasks t LEFT JOIN messages m ON m.id = t.message_id "
        "WHERE t.state IN ('OPEN', 'LEASED') AND t.expires_at > $2 AND m.care_run_id IS DISTINCT FROM $1) AS waiting, "
        "(SELECT count(*) FROM messages WHERE care_run_id = $1 AND channel = 'CALL' AND state <> 'SUPPRESSED') AS made",
        [today.run_id, today.at],
    )
    row = rows[0]
    day = row["consultants"] * rules.calls_per_consultant + row["advisors"] * rules.calls_per_advisor
    day = max(day, rules.calls_without_staff)
    return min(day, 2 * day - row["waiting"]) - row["made"], rules.calls_per_consultant


async def _plan_care(today: Today) -> None:
    """What the care calendar has for the babies whose day has come; the babies of other days are not looked at."""
    if await _has_new_rules():
        await care_ahead.look_at_all_again()
    after: care_ahead.Place | None = care_ahead.EARLIEST
    while after is not None:
        looked, after = await care_ahead.look(today, after)
        await plan(care_ahead.intents(today, looked))
        await care_ahead.remember(looked)  # killed before this, the next look finds what was planned among the messages


async def _has_new_rules() -> bool:
    """Whether the last run that came to its end planned by other care plans or stage plans than there are now."""
    rows = await connection().execute_query_dict(
        "SELECT counts ->> 'rules' AS rules FROM care_runs WHERE finished_at IS NOT NULL "
        "ORDER BY finished_at DESC LIMIT 1"
    )
    return bool(rows) and rows[0]["rules"] != care_ahead.rules_in_use()


async def _plan_offers(today: Today) -> None:
    """Care outranks offers: who got any today is passed over."""
    shelves = await suggestible_shelves(today.at)
    after, is_last = NOBODY, False
    while not is_last:
        batch = await offers(today, after, shelves)
        await plan(batch.intents)
        after, is_last = batch.after, batch.is_last


async def _report(run_id: UUID, run_on: date, *, is_repeat: bool) -> CareReport:
    """Counted from the first decision of each intent, so that a resumed run counts what its first half planned."""
    rows = await connection().execute_query_dict(
        "SELECT m.channel, m.purpose, d.verdict, d.primary_reason AS reason, count(*)::int AS n FROM messages m "
        "JOIN LATERAL (SELECT verdict, primary_reason FROM decisions d WHERE d.intent_key = m.intent_key "
        "ORDER BY d.decided_at, d.id LIMIT 1) d ON true "
        "WHERE m.care_run_id = $1 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
        [run_id],
    )
    verdicts: Counter[str] = Counter()
    for row in rows:
        verdicts[row["verdict"]] += row["n"]
    return CareReport(
        run_id, run_on, is_repeat, eligible=verdicts.total(), sent=verdicts["SEND"], held=verdicts["HOLD"],
        suppressed=verdicts["SUPPRESS"], by=tuple(rows),
    )  # fmt: skip


async def _close(report: CareReport) -> None:
    counts = {
        "eligible": report.eligible, "sent": report.sent, "held": report.held, "suppressed": report.suppressed,
        "by": list(report.by), "rules": care_ahead.rules_in_use(),
    }  # fmt: skip
    await connection().execute_query(
        "UPDATE care_runs SET finished_at = $2, counts = $3 WHERE id = $1 AND finished_at IS NULL",
        [report.run_id, real_now(), orjson.dumps(counts).decode()],
    )
