"""Facts: the frozen snapshot that a decision looks at, and its JSON, so that a stored decision can be made again."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from domain.commerce.products import FormulaClass
from domain.outreach.attention import Counts
from domain.people.consents import ConsentState
from domain.people.members import MemberStatus
from domain.platform.sources import Channel, Purpose
from domain.stages.engine import BabyDates


@dataclass(frozen=True, slots=True)
class Child:
    id: UUID
    dates: BabyDates
    is_stopped: bool


@dataclass(frozen=True, slots=True)
class Wording:
    """The template that would be used, in the member's language or the fallback."""

    version: int
    language: str
    purpose: Purpose
    formula_class: FormulaClass
    has_reward: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the decision looks at. No address and no name: only whether there is one, and the wish itself."""

    at: datetime  # business clock
    intent_key: str
    member_id: UUID
    baby_id: UUID | None
    channel: Channel
    purpose: Purpose
    template_key: str
    formula_class: FormulaClass
    has_reward: bool
    is_about_babies: bool
    not_before: datetime
    expires_at: datetime
    status: MemberStatus
    jurisdiction: str
    zones: tuple[str, ...]  # every plausible one; the first is the member's own
    children: tuple[Child, ...]
    consent: ConsentState | None  # the one in force for purpose and channel
    suppression: str | None  # why the address is suppressed on this channel
    has_address: bool
    wording: Wording | None
    touches: Counts  # attention slots taken in her windows of `at`
    better_waiting: int = 0  # messages to her that matter more and want a slot now, too


def snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    """Plain values that JSON keeps; `snapshot_from_json` gives an equal snapshot back."""
    wording = snapshot.wording
    return {
        "at": snapshot.at.isoformat(),
        "intent_key": snapshot.intent_key,
        "member_id": str(snapshot.member_id),
        "baby_id": str(snapshot.baby_id) if snapshot.baby_id else None,
        "channel": snapshot.channel.value,
        "purpose": snapshot.purpose.value,
        "template_key": snapshot.template_key,
        "formula_class": snapshot.formula_class.value,
        "has_reward": snapshot.has_reward,
        "is_about_babies": snapshot.is_about_babies,
        "not_before": snapshot.not_before.isoformat(),
        "expires_at": snapshot.expires_at.isoformat(),
        "status": snapshot.status.value,
        "jurisdiction": snapshot.jurisdiction,
        "zones": list(snapshot.zones),
        "children": [child_to_json(child) for child in snapshot.children],
        "consent": snapshot.consent.value if snapshot.consent else None,
        "suppression": snapshot.suppression,
        "has_address": snapshot.has_address,
        "wording": wording
        and [wording.version, wording.language, wording.purpose.value, wording.formula_class.value, wording.has_reward],
        "touches": list(snapshot.touches),
        "better_waiting": snapshot.better_waiting,
    }


def snapshot_from_json(document: dict[str, Any]) -> Snapshot:
    wording = document["wording"]
    return Snapshot(
        at=datetime.fromisoformat(document["at"]),
        intent_key=document["intent_key"],
        member_id=UUID(document["member_id"]),
        baby_id=UUID(document["baby_id"]) if document["baby_id"] else None,
        channel=Channel(document["channel"]),
        purpose=Purpose(document["purpose"]),
        template_key=document["template_key"],
        formula_class=FormulaClass(document["formula_class"]),
        has_reward=document["has_reward"],
        is_about_babies=document["is_about_babies"],
        not_before=datetime.fromisoformat(document["not_before"]),
        expires_at=datetime.fromisoformat(document["expires_at"]),
        status=MemberStatus(document["status"]),
        jurisdiction=document["jurisdiction"],
        zones=tuple(document["zones"]),
        children=tuple(child_from_json(values) for values in document["children"]),
        consent=ConsentState(document["consent"]) if document["consent"] else None,
        suppression=document["suppression"],
        has_address=document["has_address"],
        wording=Wording(
            wording[0], wording[1], Purpose(wording[2]), FormulaClass(wording[3]), wording[4]
        ) if wording else None,
        touches=Counts(*document["touches"]),
        better_waiting=document["better_waiting"],
    )  # fmt: skip


def child_to_json(child: Child) -> list[Any]:
    dates = child.dates
    return [str(child.id), _iso(dates.born_on), _iso(dates.due_on), dates.gestation_weeks, child.is_stopped]


def child_from_json(values: list[Any]) -> Child:
    """[id, born on, due on, gestation weeks, is stopped]: as `child_to_json` writes it and as SQL gives it."""
    born_on, due_on = (date.fromisoformat(value) if value else None for value in values[1:3])
    return Child(UUID(values[0]), BabyDates(born_on, due_on, values[3]), values[4])


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
