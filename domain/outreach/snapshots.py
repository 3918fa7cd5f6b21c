"""Snapshots taken: everything that contactability wants to know, for any number of intents by three statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.gateway.suppressions import address_hash
from domain.outreach.attention import ORDER, Counts, Window, start_of
from domain.outreach.facts import Snapshot, Wording, child_from_json
from domain.outreach.hours import zone
from domain.outreach.intents import Intent
from domain.people.consents import ConsentState
from domain.people.members import MemberStatus
from domain.platform.clock import local_day
from domain.platform.sources import Channel, Purpose
from domain.sql import statement


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot with what is needed to act on it but must not be stored with it."""

    snapshot: Snapshot
    language: str  # the member's own
    address: str | None  # E.164 or e-mail, as of now
    is_synthetic: bool  # the address belongs to nobody: real providers refuse it


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a snapshot needs of an intent, whether it comes from a rule now or from a stored message."""

    member_id: UUID
    baby_id: UUID | None
    channel: Channel
    purpose: Purpose
    template_key: str
    intent_key: str
    not_before: datetime
    expires_at: datetime
    formula_class: FormulaClass
    has_reward: bool
    is_about_babies: bool


async def take(intents: Sequence[Intent], at: datetime) -> list[Taken]:
    """Snapshots of the intents as of `at` (business clock), in their order. Members who do not exist are an error."""
    wishes = [
        _Wish(
            intent.member_id, intent.baby_id, intent.channel, intent.purpose, intent.template_key, intent.intent_key,
            intent.not_before, intent.expires_at, intent.formula_class, intent.has_reward, intent.is_about_babies,
        )
        for intent in intents
    ]  # fmt: skip
    return await _take(wishes, at)


async def take_again(message_ids: Sequence[UUID], at: datetime) -> dict[UUID, Taken]:
    """Fresh snapshots of stored messages, to decide again at claim. What was wished is read from the decision."""
    rows = await connection().execute_query_dict(
        "SELECT m.id, m.member_id, m.baby_id, m.channel, m.purpose, m.template_key, m.intent_key, m.not_before, "
        "m.expires_at, d.snapshot FROM messages m JOIN decisions d ON d.id = m.decision_id WHERE m.id = ANY($1)",
        [list(message_ids)],
    )
    wishes = []
    for row in rows:
        before = _json(row["snapshot"])
        wishes.append(
            _Wish(
                row["member_id"], row["baby_id"], Channel(row["channel"]), Purpose(row["purpose"]),
                row["template_key"], row["intent_key"], row["not_before"], row["expires_at"],
                FormulaClass(before["formula_class"]), before["has_reward"], before["is_about_babies"],
            )
        )  # fmt: skip
    return {row["id"]: taken for row, taken in zip(rows, await _take(wishes, at), strict=True)}


async def _take(wishes: list[_Wish], at: datetime) -> list[Taken]:
    if not wishes:
        return []
    rows = await connection().execute_query_dict(
        statement("contact_snapshots"),
        [
            [wish.member_id for wish in wishes],
            [wish.channel.value for wish in wishes],
            [wish.purpose.value for wish in wishes],
            [wish.template_key for wish in wishes],
            [str(wish.baby_id) if wish.baby_id else None for wish in wishes],
        ],
    )
    assert len(rows) == len(wishes), "every intent names a member"
    hashes = [
        address_hash(wish.channel, row["address"]) if row["address"] else None
        for wish, row in zip(wishes, rows, strict=True)
    ]
    suppressed = await _suppressions([(w.channel, h) for w, h in zip(wishes, hashes, strict=True) if h])
    touches = await _touches({row["member_id"]: row["time_zone"] for row in rows}, at)
    none = Counts()
    return [
        Taken(
            snapshot=_snapshot(
                wish, row, at, suppressed.get((wish.channel.value, hashed or "")), touches.get(wish.member_id, none)
            ),
            language=row["language"],
            address=row["address"],
            is_synthetic=bool(row["is_synthetic"]),
        )
        for wish, row, hashed in zip(wishes, rows, hashes, strict=True)
    ]


def _snapshot(wish: _Wish, row: dict[str, Any], at: datetime, suppression: str | None, touches: Counts) -> Snapshot:
    wording = None
    if row["version"] is not None:
        wording = Wording(
            row["version"], row["template_language"], Purpose(row["template_purpose"]),
            FormulaClass(row["template_formula_class"]), row["template_has_reward"],
        )  # fmt: skip
    return Snapshot(
        at=at,
        intent_key=wish.intent_key,
        member_id=wish.member_id,
        baby_id=wish.baby_id,
        channel=wish.channel,
        purpose=wish.purpose,
        template_key=wish.template_key,
        formula_class=wish.formula_class,
        has_reward=wish.has_reward,
        is_about_babies=wish.is_about_babies,
        not_before=wish.not_before,
        expires_at=wish.expires_at,
        status=MemberStatus(row["status"]),
        jurisdiction=row["jurisdiction"],
        zones=tuple(dict.fromkeys(name for name in (row["time_zone"], row["store_zone"]) if name)),
        children=tuple(child_from_json(values) for values in _json(row["children"])),
        consent=ConsentState(row["consent"]) if row["consent"] else None,
        suppression=suppression,
        has_address=row["address"] is not None,
        wording=wording,
        touches=touches,
    )


async def _suppressions(addresses: list[tuple[Channel, str]]) -> dict[tuple[str, str], str]:
    rows = await connection().execute_query_dict(
        "SELECT s.channel, s.address_hash, s.reason FROM suppressions s "
        "JOIN unnest($1::text[], $2::text[]) AS a(channel, address_hash) USING (channel, address_hash) "
        "WHERE s.lifted_at IS NULL",
        [[channel.value for channel, _ in addresses], [hashed for _, hashed in addresses]],
    )
    return {(row["channel"], row["address_hash"]): row["reason"] for row in rows}


async def _touches(zones: dict[UUID, str], at: datetime) -> dict[UUID, Counts]:
    """Attention slots taken in each member's own local day, week and month."""
    days = {member: local_day(at, zone(name)) for member, name in zones.items()}
    rows = await connection().execute_query_dict(
        "SELECT member_id, window_kind, window_start, used FROM attention_slots "
        "WHERE member_id = ANY($1) AND window_start >= $2",
        [list(zones), local_day(at, zone("UTC")) - timedelta(days=32)],
    )
    found: dict[UUID, list[int]] = {}
    for row in rows:
        window = Window(row["window_kind"])
        if row["window_start"] == start_of(window, days[row["member_id"]]):
            found.setdefault(row["member_id"], [0] * len(ORDER))[ORDER.index(window)] = row["used"]
    return {member: Counts(*used) for member, used in found.items()}


def _json(value: Any) -> Any:
    """json columns come as text from raw statements, as values from the ORM."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value
