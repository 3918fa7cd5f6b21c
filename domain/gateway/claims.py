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
from domain.outreach.contactability import Answer, decide
from domain.outreach.decisions import Verdict
from domain.outreach.reasons import Reason
from domain.outreach.rendering import Rendered, RenderFailed
from domain.outreach.snapshots import Taken, take_again
from domain.platform.clock import business_offset, real_now
from domain.platform.ids import new_id
from domain.platform.sources import Channel
from domain.sql import statement

WAIT_AFTER_DOUBT = timedelta(minutes=10)
"""A message that may have left and may not be posted again now is looked at again after this."""

CANDIDATES = (
    "SELECT id, member_id, channel, attempt, expires_at, provider_key, template_key, template_version, language, "
    "params, address, subject, body, body_html, slot_window, unknown_since IS NOT NULL AS may_have_left "
    "FROM messages WHERE channel = $1 AND state = 'QUEUED' "
    "AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp()) "
    "ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED"
)


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
        return bool(self.row["slot_window"] == self.answer.week_start)


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
        await _bind_slots([one for one in candidates if isinstance(rendered.get(one.row["id"]), Rendered)])
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
    """The first of each member; her others are free again at commit and come next time, when her slots are counted."""
    first: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["member_id"], row)
    return list(first.values())


async def _decide_again(rows: list[dict[str, Any]], at: datetime) -> list[_Candidate]:
    snapshots = await take_again([row["id"] for row in rows], at)
    candidates = []
    for row in rows:
        taken = snapshots[row["id"]]
        candidate = _Candidate(row, taken, decide(taken.snapshot))
        if candidate.keeps_slot:  # her count has this message in it already
            candidate = _decided(candidate, taken.snapshot.week_touches - 1)
        candidates.append(candidate)
    return candidates


def _decided(candidate: _Candidate, week_touches: int) -> _Candidate:
    snapshot = replace(candidate.taken.snapshot, week_touches=max(week_touches, 0))
    taken = replace(candidate.taken, snapshot=snapshot)
    return _Candidate(candidate.row, taken, decide(snapshot))


async def _bind_slots(candidates: list[_Candidate]) -> None:
    """Those for whom there was no slot left are decided once more, with the cap reached."""
    without = [one for one in candidates if one.answer.verdict is Verdict.SEND and not one.keeps_slot]
    wishes = [SlotWish(one.answer.weekly_cap, one.row["member_id"], one.answer.week_start) for one in without]
    got = await take_slots(wishes)
    for one in without:
        if one.row["member_id"] not in got:
            again = _decided(one, one.answer.weekly_cap)
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
            "slot_window": answer.week_start,
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
    """Slots that messages held and hold no more: they were given up, or another week's was taken."""
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
