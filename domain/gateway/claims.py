"""Claiming: a worker takes queued messages, decides each again, takes its attention slot, renders it and leases it."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.gateway.delivery import Outgoing, Provider
from domain.gateway.messages import MessageState, announce_members, decision_to_json, to_json
from domain.gateway.renderings import Letterhead, RenderWish, render_all
from domain.gateway.slots import SlotWish, give_back_slots, take_slots
from domain.outreach.attention import shared
from domain.outreach.contactability import Answer, decide
from domain.outreach.decisions import Verdict
from domain.outreach.reasons import Reason
from domain.outreach.rendering import Rendered, RenderFailed
from domain.outreach.snapshots import Taken, take_again
from domain.platform.clock import business_offset, real_now
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose
from domain.sql import statement

WAIT_AFTER_DOUBT = timedelta(minutes=10)
"""A message that may have left and may not be posted again now is looked at again after this."""

CANDIDATES = (
    "SELECT id, member_id, channel, purpose, value, attempt, expires_at, provider_key, template_key, template_version, "
    "language, params, address, subject, body, body_html, slot_window, unknown_since IS NOT NULL AS may_have_left "
    "FROM messages WHERE channel = $1 AND state = 'QUEUED' "
    "AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp()) "
    "ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED"
)


BETTER = """
SELECT c.id, count(*)::int AS n
FROM unnest($1::uuid[]) AS candidate(id) JOIN messages c ON c.id = candidate.id
JOIN messages r ON r.member_id = c.member_id
WHERE r.state IN ('PLANNED', 'QUEUED') AND r.slot_window IS NULL AND r.expires_at > business_now()
    AND r.state_at > clock_timestamp() - $3::interval
    AND (r.next_attempt_at IS NULL OR r.next_attempt_at <= clock_timestamp())
    AND (array_position($2::text[], r.purpose::text), -r.value, r.id)
        < (array_position($2::text[], c.purpose::text), -c.value, c.id)
GROUP BY c.id
"""
RANKED = (Purpose.CARE, Purpose.SERVICE, Purpose.PROMOTION)
WAITED_FOR = timedelta(minutes=10)
"""So long a message is waited for that matters more; one that is stuck does not hold up the others."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased message, ready to leave. `attempt` is the fence; times are on the real clock."""

    outgoing: Outgoing
    attempt: int
    may_have_left: bool
    lease_until: datetime
    expires_at: datetime


@dataclass(slots=True)
class _Candidate:
    row: dict[str, Any]
    taken: Taken
    answer: Answer

    @property
    def keeps_slot(self) -> bool:
        """A message that may have left took its slot on that day, whatever day it is now."""
        held = self.row["slot_window"]
        return held is not None and (self.row["may_have_left"] or held == self.answer.day)


async def claim(
    owner: str, provider: Provider, limit: int, lease: timedelta, letterhead: Letterhead
) -> tuple[list[Claimed], int]:
    """Lease up to `limit` messages of the provider's channel, soonest-expiring first. One transaction.

    Every message is decided again before it may leave: those that may not are held, suppressed or expired here. Two
    workers never get the same message, nor together more slots of a member than her cap. Answers the leased ones and
    how many rows were looked at (zero: nothing is due).
    """
    async with in_transaction():
        rows = await connection().execute_query_dict(CANDIDATES, [Channel(provider.channel).value, limit])
        if not rows:
            return [], 0
        offset = await business_offset()
        at = real_now() + offset
        late = [row for row in rows if row["expires_at"] <= at]
        due = _one_a_member([row for row in rows if row["expires_at"] > at])
        candidates = await _decide_again(due, at)
        rendered = await _render(candidates, letterhead)
        await _bind_slots([one for one in candidates if isinstance(rendered.get(one.row["id"]), Rendered)], at)
        leased_at = real_now()
        changes = [_too_late(row) for row in late] + [
            _change(one, rendered.get(one.row["id"]), owner, provider.name, lease, at) for one in candidates
        ]
        await connection().execute_query(statement("claim_messages"), [to_json(changes)])
        before = {row["id"]: row for row in rows}
        await give_back_slots(_returned(changes, before))
        await announce_members({before[change["id"]]["member_id"] for change in changes})
    leased = {change["id"] for change in changes if change["state"] == MessageState.SENDING}
    return [
        Claimed(
            _outgoing(one, rendered[one.row["id"]], letterhead),
            one.row["attempt"] + 1,
            one.row["may_have_left"],
            leased_at + lease,
            one.row["expires_at"] - offset,
        )
        for one in candidates
        if one.row["id"] in leased
    ], len(rows)


def _one_a_member(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What matters most to each member; her others are free again at commit and come when her slots are counted."""
    first: dict[UUID, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (RANKED.index(row["purpose"]), -row["value"], row["id"])):
        first.setdefault(row["member_id"], row)
    return [row for row in rows if first[row["member_id"]] is row]


async def _decide_again(rows: list[dict[str, Any]], at: datetime) -> list[_Candidate]:
    snapshots = await take_again([row["id"] for row in rows], at)
    better = await _better_waiting([row["id"] for row in rows if row["slot_window"] is None])
    candidates = []
    for row in rows:
        candidate = _decided(row, snapshots[row["id"]], better_waiting=better.get(row["id"], 0))
        if row["slot_window"] is not None:  # her counts have this message in them already
            own = shared(row["slot_window"], candidate.answer.day)
            candidate = _decided(row, candidate.taken, touches=candidate.taken.snapshot.touches.less(own))
        candidates.append(candidate)
    return candidates


async def _better_waiting(message_ids: list[UUID]) -> dict[UUID, int]:
    """How many messages to the same member, on any channel, want a slot now and matter more."""
    rows = await connection().execute_query_dict(BETTER, [message_ids, [one.value for one in RANKED], WAITED_FOR])
    return {row["id"]: row["n"] for row in rows}


def _decided(row: dict[str, Any], taken: Taken, **changes: Any) -> _Candidate:
    taken = replace(taken, snapshot=replace(taken.snapshot, **changes))
    return _Candidate(row, taken, decide(taken.snapshot))


async def _bind_slots(candidates: list[_Candidate], at: datetime) -> None:
    """Those for whom there was no slot left are decided once more, with the cap reached."""
    without = [one for one in candidates if one.answer.verdict is Verdict.SEND and not one.keeps_slot]
    stale = [
        one for one in without if one.row["slot_window"] is not None
    ]  # another day's: returned before one is taken
    await give_back_slots((one.row["member_id"], one.row["slot_window"]) for one in stale)
    for one in stale:
        one.row["slot_window"] = None
    got = await take_slots(SlotWish(one.row["member_id"], one.answer.day, one.answer.caps) for one in without)
    missed = [one for one in without if one.row["member_id"] not in got]
    now = await take_again([one.row["id"] for one in missed], at) if missed else {}
    for one in missed:
        again = _decided(one.row, now[one.row["id"]])
        if again.answer.verdict is Verdict.SEND:  # a slot was given back meanwhile: it asks again in a moment
            again = _decided(one.row, again.taken, better_waiting=max(again.answer.caps))
        one.taken, one.answer = again.taken, again.answer


async def _render(candidates: list[_Candidate], letterhead: Letterhead) -> dict[UUID, Rendered | RenderFailed]:
    """The words of those that may leave. What was rendered for an earlier attempt is kept: one key, one text."""
    ready: dict[UUID, Rendered | RenderFailed] = {}
    fresh = []
    for one in candidates:
        row = one.row
        if one.answer.verdict is not Verdict.SEND:
            continue
        if row["body"] is not None:
            ready[row["id"]] = Rendered(row["subject"] or "", row["body"], row["body_html"] or "")
        else:
            fresh.append(one)
    return ready | await render_all([_render_wish(one) for one in fresh], letterhead)


def _render_wish(one: _Candidate) -> RenderWish:
    row, wording = one.row, one.taken.snapshot.wording
    assert wording is not None, "contactability asks for a wording"
    channel, params = Channel(row["channel"]), orjson.loads(row["params"])
    return RenderWish(row["id"], row["member_id"], channel, row["template_key"], wording, params)


def _change(
    one: _Candidate,
    wording: Rendered | RenderFailed | None,
    owner: str,
    provider: str,
    lease: timedelta,
    at: datetime,
) -> dict[str, Any]:
    """The new row of one candidate."""
    row, answer = one.row, one.answer
    change: dict[str, Any] = {
        "id": row["id"],
        "attempt": row["attempt"],
        "state_reason": answer.primary_reason,
        "decision_id": new_id(),
        "decided_at": at,
        **decision_to_json(one.taken, answer),
    }
    if answer.verdict is Verdict.SEND and isinstance(wording, Rendered):
        written = one.taken.snapshot.wording
        assert written is not None, "contactability asks for a wording"
        return change | {
            "state": MessageState.SENDING,
            "state_reason": "CLAIMED",
            "attempt": row["attempt"] + 1,
            "lease_owner": owner,
            "lease_seconds": lease.total_seconds(),
            "provider": provider,
            "address": row["address"] or one.taken.address,
            "subject": wording.subject,
            "body": wording.body,
            "body_html": wording.body_html,
            "template_version": row["template_version"] if row["body"] is not None else written.version,
            "language": row["language"] if row["body"] is not None else written.language,
            "slot_window": row["slot_window"] if one.keeps_slot else answer.day,
        }
    if row["may_have_left"]:
        waiting = {"state": MessageState.UNKNOWN, "wait_seconds": WAIT_AFTER_DOUBT.total_seconds()}
        return change | waiting | {"slot_window": row["slot_window"]}
    if isinstance(wording, RenderFailed):
        return change | {"state": MessageState.FAILED, "state_reason": "TEMPLATE_ERROR"}
    if answer.verdict is Verdict.HOLD:
        return change | {"state": MessageState.HELD, "not_before": answer.next_possible_at}
    is_late = answer.primary_reason is Reason.EXPIRED
    return change | {"state": MessageState.EXPIRED if is_late else MessageState.SUPPRESSED}


def _too_late(row: dict[str, Any]) -> dict[str, Any]:
    """Expired, or, when it may have left before, still unknown: only a receipt or a look-up tells."""
    change = {"id": row["id"], "attempt": row["attempt"], "state_reason": "EXPIRED"}
    if row["may_have_left"]:
        waiting = {"state": MessageState.UNKNOWN, "wait_seconds": WAIT_AFTER_DOUBT.total_seconds()}
        return change | waiting | {"slot_window": row["slot_window"]}
    return change | {"state": MessageState.EXPIRED}


def _returned(changes: list[dict[str, Any]], before: dict[UUID, dict[str, Any]]) -> list[tuple[UUID, date]]:
    """Slots that messages held and hold no more."""
    rows = ((before[change["id"]], change.get("slot_window")) for change in changes)
    return [(row["member_id"], row["slot_window"]) for row, now in rows if row["slot_window"] not in (None, now)]


def _outgoing(one: _Candidate, wording: Rendered | RenderFailed, letterhead: Letterhead) -> Outgoing:
    row = one.row
    assert isinstance(wording, Rendered), "only rendered messages are leased"
    return Outgoing(
        key=row["provider_key"],
        message_id=row["id"],
        to=row["address"] or one.taken.address or "",
        body=wording.body,
        subject=wording.subject,
        body_html=wording.body_html,
        language=row["language"],
        is_synthetic=one.taken.is_synthetic,
        unsubscribe_url=letterhead.links.url(row["id"]),
    )
