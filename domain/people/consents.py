"""Consents: an append-only record of what she allowed, per purpose and channel, with the evidence."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.care.withdrawals import cancel_calls
from domain.database import connection
from domain.people.failures import BabyNotFound, MemberNotFound
from domain.people.provenance import said_by
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission, Role
from domain.platform.sources import Channel, Purpose, Source

if TYPE_CHECKING:
    from domain.commerce.stores import Store
    from domain.people.babies import Baby
    from domain.people.members import Member


class ConsentState(StrEnum):
    GRANTED = "GRANTED"
    WITHDRAWN = "WITHDRAWN"


class Consent(Model):
    """What she said, row by row: nothing is overwritten. A row about a baby speaks of that baby alone."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="consents", on_delete=fields.RESTRICT
    )
    member_id: UUID
    baby: fields.ForeignKeyNullableRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="consents", null=True, on_delete=fields.RESTRICT
    )
    baby_id: UUID | None  # none: of all that we say to her
    purpose = fields.CharEnumField(Purpose, max_length=16)
    channel = fields.CharEnumField(Channel, max_length=16)
    state = fields.CharEnumField(ConsentState, max_length=16)
    given_at = fields.DatetimeField()  # business clock
    source = fields.CharEnumField(Source, max_length=16)
    how = fields.CharField(
        max_length=64
    )  # store_form, call, mini_program, sms_reply, unsubscribe_link, import, synthetic
    text_version = fields.CharField(max_length=64)  # which wording she saw
    text_hash = fields.CharField(max_length=64)  # SHA-256 of that wording
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="consents", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None
    recorded_by = fields.UUIDField(null=True)  # account

    class Meta:
        table = "consents"
        constraints = [
            one_of("consents", "purpose", Purpose),
            one_of("consents", "channel", Channel),
            one_of("consents", "state", ConsentState),
            one_of("consents", "source", Source),
        ]


class ConsentInForce(Model):
    """The latest consent of a member, purpose, channel and baby: kept by triggers on consents, whoever writes."""

    consent_id = fields.UUIDField(primary_key=True)
    member_id = fields.UUIDField()
    purpose = fields.CharEnumField(Purpose, max_length=16)
    channel = fields.CharEnumField(Channel, max_length=16)
    baby_id = fields.UUIDField(null=True)
    state = fields.CharEnumField(ConsentState, max_length=16)
    given_at = fields.DatetimeField()  # business clock

    class Meta:
        table = "consents_in_force"
        constraints = [one_of("consents_in_force", "state", ConsentState)]


def in_force(member: str, purpose: str, channel: str, baby: str, *, since: str = "") -> str:
    """SQL of the answer to "may I?": GRANTED, WITHDRAWN or null, by one look-up in the index of what is in force.

    About a baby (not null) her own word and the general one count: a withdrawal for the baby stands, else the later.
    With `since` only what was said from then on counts.
    """
    lately = f"AND f.given_at >= {since} " if since else ""
    return (
        f"(SELECT f.state FROM consents_in_force f WHERE f.member_id = {member} AND f.purpose = {purpose} "
        f"AND f.channel = {channel} AND (f.baby_id IS NULL OR f.baby_id = {baby}) {lately}"
        "ORDER BY (f.baby_id IS NOT NULL AND f.state = 'WITHDRAWN') DESC, f.given_at DESC, f.consent_id DESC LIMIT 1)"
    )


MAY_I = f"SELECT {in_force('$1::uuid', '$2', '$3', '$4::uuid')} AS state"


async def may_i(
    member_id: UUID, purpose: Purpose, channel: Channel, baby_id: UUID | None = None
) -> ConsentState | None:
    """What she said last of this purpose on this channel, about this baby or in general; None: she said nothing."""
    rows = await connection().execute_query_dict(MAY_I, [member_id, purpose.value, channel.value, baby_id])
    return ConsentState(rows[0]["state"]) if rows[0]["state"] else None


@dataclass(frozen=True, slots=True)
class ConsentEvidence:
    """How she said it, and the wording in front of her: its version and the text itself (kept as a hash)."""

    how: str  # store_form, call, mini_program, ...
    text_version: str = ""
    text: str = ""
    store_id: UUID | None = None

    def flaw(self, state: ConsentState) -> ValidationError | None:
        """Withdrawing is as easy as giving: only a grant must show what she agreed to."""
        if not self.how or len(self.how) > 64:
            return ValidationError.of("how", "Say how she said it, in 1 to 64 characters.")
        if len(self.text_version) > 64:
            return ValidationError.of("textVersion", "At most 64 characters.")
        if state is ConsentState.GRANTED and not (self.text_version and self.text):
            return ValidationError.of("text", "A grant needs the wording she saw and its version.")
        return None


@dataclass(frozen=True, slots=True)
class ConsentRecorded:
    consent_id: UUID
    member_id: UUID
    purpose: Purpose
    channel: Channel
    state: ConsentState
    baby_id: UUID | None = None


async def record(
    actor: Actor,
    member_id: UUID,
    purpose: Purpose,
    channel: Channel,
    state: ConsentState,
    evidence: ConsentEvidence,
    baby_id: UUID | None = None,
) -> ConsentRecorded | MemberNotFound | BabyNotFound | NotPermitted | ValidationError:
    """Record what she allows or no longer allows, in general or about one baby; it binds from now.

    A member decides for herself only. Withdrawing calls takes her open call-backs for that purpose (about that baby)
    off every list in the same transaction. A general withdrawal withdraws what she allowed for single babies too.
    """
    if not actor.may(Permission.WRITE_CONSENTS):
        return NotPermitted(Permission.WRITE_CONSENTS)
    flaw = evidence.flaw(state)
    if flaw is not None:
        return flaw
    async with in_transaction():
        if actor.role is Role.MEMBER and actor.member_id != member_id:
            return MemberNotFound()
        if not await is_in_scope(actor, member_id, for_update=True):
            return MemberNotFound()
        if baby_id is not None and not await _is_her_baby(member_id, baby_id):
            return BabyNotFound()
        now = await business_now()
        consent_id = await write_consent(
            member_id, purpose, channel, state, evidence, source=said_by(actor), now=now,
            recorded_by=actor.account_id, baby_id=baby_id,
        )  # fmt: skip
        if state is ConsentState.WITHDRAWN and baby_id is None:
            await _withdraw_for_babies(actor, member_id, purpose, channel, evidence, now)
        if state is ConsentState.WITHDRAWN and channel is Channel.CALL:
            await cancel_calls(member_id, [purpose], now, about=baby_id)
        await announce(MEMBER_TIMELINE, member_id)
        return ConsentRecorded(consent_id, member_id, purpose, channel, state, baby_id)


async def _withdraw_for_babies(
    actor: Actor, member_id: UUID, purpose: Purpose, channel: Channel, evidence: ConsentEvidence, now: datetime
) -> None:
    granted = await connection().execute_query_dict(
        "SELECT baby_id FROM consents_in_force WHERE member_id = $1 AND purpose = $2 AND channel = $3 "
        "AND baby_id IS NOT NULL AND state = 'GRANTED' ORDER BY baby_id",
        [member_id, purpose.value, channel.value],
    )
    for row in granted:
        await write_consent(
            member_id, purpose, channel, ConsentState.WITHDRAWN, evidence, source=said_by(actor), now=now,
            recorded_by=actor.account_id, baby_id=row["baby_id"],
        )  # fmt: skip


async def _is_her_baby(member_id: UUID, baby_id: UUID) -> bool:
    return bool(
        await connection().execute_query_dict(
            "SELECT 1 FROM babies b JOIN members m ON m.household_id = b.household_id WHERE m.id = $1 AND b.id = $2",
            [member_id, baby_id],
        )
    )


async def write_consent(
    member_id: UUID,
    purpose: Purpose,
    channel: Channel,
    state: ConsentState,
    evidence: ConsentEvidence,
    *,
    source: Source,
    now: datetime,
    recorded_by: UUID | None,
    baby_id: UUID | None = None,
) -> UUID:
    """Append the row inside the caller's transaction, which holds the lock on the member. `now`: business clock."""
    consent_id = new_id()
    await connection().execute_query(
        "INSERT INTO consents (id, member_id, purpose, channel, state, given_at, source, how, text_version, text_hash, "
        "store_id, recorded_by, baby_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        [
            consent_id, member_id, purpose, channel, state, now, source, evidence.how, evidence.text_version,
            hashlib.sha256(evidence.text.encode()).hexdigest(), evidence.store_id, recorded_by, baby_id,
        ],
    )  # fmt: skip
    return consent_id
