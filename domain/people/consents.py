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
from domain.people.failures import MemberNotFound
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
    from domain.people.members import Member


class ConsentState(StrEnum):
    GRANTED = "GRANTED"
    WITHDRAWN = "WITHDRAWN"


class Consent(Model):
    """The latest row (given_at, then id) of a member, purpose and channel is the one in force; no row is no consent."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="consents", on_delete=fields.RESTRICT
    )
    member_id: UUID
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


async def record(
    actor: Actor, member_id: UUID, purpose: Purpose, channel: Channel, state: ConsentState, evidence: ConsentEvidence
) -> ConsentRecorded | MemberNotFound | NotPermitted | ValidationError:
    """Record what she allows or no longer allows; it binds from now. A member decides for herself only.

    Withdrawing calls takes her open call-backs for that purpose off every list in the same transaction.
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
        now = await business_now()
        consent_id = await write_consent(
            member_id, purpose, channel, state, evidence, source=said_by(actor), now=now, recorded_by=actor.account_id
        )
        if state is ConsentState.WITHDRAWN and channel is Channel.CALL:
            await cancel_calls(member_id, [purpose], now)
        await announce(MEMBER_TIMELINE, member_id)
        return ConsentRecorded(consent_id, member_id, purpose, channel, state)


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
) -> UUID:
    """Append the row inside the caller's transaction, which holds the lock on the member. `now`: business clock."""
    consent_id = new_id()
    await connection().execute_query(
        "INSERT INTO consents (id, member_id, purpose, channel, state, given_at, source, how, text_version, text_hash, "
        "store_id, recorded_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            consent_id, member_id, purpose, channel, state, now, source, evidence.how, evidence.text_version,
            hashlib.sha256(evidence.text.encode()).hexdigest(), evidence.store_id, recorded_by,
        ],
    )  # fmt: skip
    return consent_id
