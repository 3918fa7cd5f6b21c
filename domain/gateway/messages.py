"""Messages: one row an intent to say something to a member, and its state until the end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import orjson
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from domain.database import connection
from domain.outreach.contactability import Answer, decide
from domain.outreach.decisions import Verdict
from domain.outreach.facts import snapshot_to_json
from domain.outreach.intents import Intent
from domain.outreach.snapshots import Taken, take
from domain.platform import changes
from domain.platform.clock import business_now
from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose
from domain.sql import statement

if TYPE_CHECKING:
    from domain.people.babies import Baby
    from domain.people.members import Member


KEY_SPACE = UUID("6e657374-6c69-5e67-a000-000000000001")
"""Intents become provider keys in this space; it never changes, or retries would not be recognised."""

PLAN_BATCH = 1000  # intents a statement


class MessageState(StrEnum):
    PLANNED = "PLANNED"
    HELD = "HELD"
    QUEUED = "QUEUED"
    SENDING = "SENDING"
    ACCEPTED = "ACCEPTED"
    UNKNOWN = "UNKNOWN"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    FAILED = "FAILED"
    SUPPRESSED = "SUPPRESSED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNKNOWN_FINAL = "UNKNOWN_FINAL"
    DEAD = "DEAD"


class Message(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="messages", on_delete=fields.RESTRICT
    )
    member_id: UUID
    baby: fields.ForeignKeyNullableRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="messages", null=True, on_delete=fields.RESTRICT
    )
    baby_id: UUID | None
    channel = fields.CharEnumField(Channel, max_length=16)
    purpose = fields.CharEnumField(Purpose, max_length=16)
    intent_key = fields.CharField(max_length=200, unique=True)  # the same wish made twice is one message
    provider_key = fields.UUIDField(
        unique=True
    )  # uuid5 of the intent: one key for life, for every attempt and provider
    care_run_id = fields.UUIDField(null=True)
    template_key = fields.CharField(max_length=100)
    template_version = fields.IntField()
    language = fields.CharField(max_length=16)
    params: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # what the template needs
    value = fields.FloatField(
        default=0.0, db_default=0.0
    )  # expected worth: among equals, scarce slots go to the highest
    # As she sees it; rendered at claim, kept with the row so that the outbox page shows what left.
    address = fields.CharField(max_length=320, null=True)
    subject = fields.TextField(null=True)
    body = fields.TextField(null=True)
    body_html = fields.TextField(null=True)
    state = fields.CharEnumField(MessageState, max_length=16, default=MessageState.PLANNED)
    state_reason = fields.CharField(max_length=64, default="")
    decision_id = fields.UUIDField()
    not_before = fields.DatetimeField()  # business clock: held until
    expires_at = fields.DatetimeField()  # business clock: checked again at the moment of sending
    next_attempt_at = fields.DatetimeField(null=True)  # real clock: back-off
    attempt = fields.SmallIntField(default=0)
    provider = fields.CharField(max_length=64, null=True)
    provider_ref = fields.CharField(max_length=200, null=True)
    lease_owner = fields.CharField(max_length=64, null=True)
    lease_until = fields.DatetimeField(null=True)  # real clock
    slot_window = fields.DateField(null=True)  # her local day, of whose windows it holds a slot each
    unknown_since = fields.DatetimeField(null=True)  # real clock
    created_at = fields.DatetimeField()  # business clock
    state_at = fields.DatetimeField()  # real clock: since when it is in this state
    sent_at = fields.DatetimeField(null=True)  # business clock

    class Meta:
        table = "messages"
        constraints = [
            one_of("messages", "channel", Channel),
            one_of("messages", "purpose", Purpose),
            one_of("messages", "state", MessageState),
            CheckConstraint(
                name="messages_sending_has_a_lease",
                check="(state = 'SENDING') = (lease_owner IS NOT NULL AND lease_until IS NOT NULL)",
            ),
        ]


class MessageEvent(Model):
    """The life of a message, a line a transition. Append only."""

    id = fields.BigIntField(primary_key=True, generated=True)
    message: fields.ForeignKeyRelation["Message"] = fields.ForeignKeyField(
        "nestling.Message", related_name="events", on_delete=fields.RESTRICT
    )
    message_id: UUID
    at = fields.DatetimeField(auto_now_add=True)  # real clock
    from_state = fields.CharField(max_length=16)
    to_state = fields.CharField(max_length=16)
    cause = fields.CharField(max_length=64)
    attempt = fields.SmallIntField(default=0)
    provider_ref = fields.CharField(max_length=200, null=True)

    class Meta:
        table = "message_events"


@dataclass(slots=True)
class Planned:
    """What became of a list of intents: eligible = sent + held + suppressed, exactly; `known` were planned before."""

    eligible: int = 0
    sent: int = 0
    held: int = 0
    suppressed: int = 0
    known: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)  # (channel, primary reason), OK for sent
    ids: list[UUID] = field(default_factory=list)  # of the messages that are new


STATE_OF = {
    Verdict.SEND: MessageState.PLANNED,
    Verdict.HOLD: MessageState.HELD,
    Verdict.SUPPRESS: MessageState.SUPPRESSED,
}


async def plan(intents: Sequence[Intent]) -> Planned:
    """Decide and store intents: decision, message and outbox line in one statement for each thousand.

    Idempotent on `intent_key`: an intent that was planned before is counted as known and nothing is changed.
    """
    planned = Planned()
    unique = list({intent.intent_key: intent for intent in intents}.values())
    for start in range(0, len(unique), PLAN_BATCH):
        await _plan_batch(unique[start : start + PLAN_BATCH], planned)
    planned.known = len(unique) - planned.eligible
    return planned


async def _plan_batch(intents: list[Intent], planned: Planned) -> None:
    rows = await connection().execute_query_dict(
        "SELECT intent_key FROM messages WHERE intent_key = ANY($1)", [[intent.intent_key for intent in intents]]
    )
    known = {row["intent_key"] for row in rows}
    fresh = [intent for intent in intents if intent.intent_key not in known]
    if not fresh:
        return
    at = await business_now()
    wishes = [
        _wish(intent, taken, decide(taken.snapshot), at)
        for intent, taken in zip(fresh, await take(fresh, at), strict=True)
    ]
    made = await connection().execute_query_dict(statement("plan_messages"), [to_json(wishes)])
    for row in made:
        state = MessageState(row["state"])
        planned.eligible += 1
        planned.sent += state is MessageState.PLANNED
        planned.held += state is MessageState.HELD
        planned.suppressed += state is MessageState.SUPPRESSED
        planned.reasons[row["channel"], row["state_reason"]] += 1
        planned.ids.append(row["id"])
    await changes.announce(changes.OUTBOX_BELL, "deliver")
    await announce_members({row["member_id"] for row in made})


def _wish(intent: Intent, taken: Taken, answer: Answer, at: datetime) -> dict[str, Any]:
    wording = taken.snapshot.wording
    params = dict(intent.params)
    if intent.call is not None:
        params["call"] = asdict(intent.call)
    return {
        "id": new_id(),
        "decision_id": new_id(),
        "member_id": intent.member_id,
        "baby_id": intent.baby_id,
        "channel": intent.channel,
        "purpose": intent.purpose,
        "intent_key": intent.intent_key,
        "provider_key": uuid5(KEY_SPACE, intent.intent_key),
        "care_run_id": intent.care_run_id,
        "template_key": intent.template_key,
        "template_version": wording.version if wording else 0,
        "language": wording.language if wording else taken.language,
        "params": params,
        "value": intent.value,
        "state": STATE_OF[answer.verdict],
        "state_reason": answer.primary_reason,
        "not_before": (answer.next_possible_at if answer.verdict is Verdict.HOLD else None) or intent.not_before,
        "expires_at": intent.expires_at,
        "at": at,
        **decision_to_json(taken, answer),
    }


def decision_to_json(taken: Taken, answer: Answer) -> dict[str, Any]:
    """What is kept of a decision: everything that it takes to make it again."""
    return {
        "verdict": answer.verdict,
        "reasons": list(answer.reasons),
        "next_possible_at": answer.next_possible_at,
        "snapshot": snapshot_to_json(taken.snapshot),
        "rules_version": answer.rules_version,
    }


def to_json(value: Any) -> str:
    """A jsonb parameter."""
    return orjson.dumps(value, default=str).decode()  # str: asyncpg has a UUID class of its own


async def announce_members(member_ids: set[UUID]) -> None:
    """Tell whoever watches these members' timelines; one statement for all."""
    if member_ids:
        await connection().execute_query(
            "SELECT pg_notify($1, id) FROM unnest($2::text[]) AS id",
            [changes.MEMBER_TIMELINE, [str(member_id) for member_id in sorted(member_ids)]],
        )
