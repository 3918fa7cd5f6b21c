"""Registrations: a new member at a till, on a phone or through a frontend. Constraints decide who was first."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.consents import ConsentEvidence, ConsentState, write_consent
from domain.people.failures import MemberNotFound
from domain.people.identities import SHAREABLE, IdentityKind
from domain.people.identity_blocks import BLOCKING, WHY_BLOCKED, flaw_of, is_test_value, standing_blocks
from domain.people.members import NAME_LENGTH, CarerRole
from domain.people.names import name_initials, name_key
from domain.people.owners import note_first_owner
from domain.people.phones import normalised_email, normalised_phone
from domain.people.places import canonical_language, place_flaws
from domain.people.provenance import said_by, system_of
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_now, local_day
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose

CODE_LENGTH = 128  # of a scanned card or an issuer's id


@dataclass(frozen=True, slots=True)
class GivenIdentity:
    """An identity as it came in; `namespace` names the issuer, empty for phone and e-mail."""

    kind: IdentityKind
    value: str
    namespace: str = ""

    def __hash__(self) -> int:
        """By the value alone, whose hash Python keeps: batches look identities up very often."""
        return hash(self.value)


@dataclass(frozen=True, slots=True)
class GivenConsent:
    purpose: Purpose
    channel: Channel
    evidence: ConsentEvidence


@dataclass(frozen=True, slots=True)
class Registration:
    """What a person says when she joins. `household_of` makes her a carer of that member's family.

    `phone_region` reads numbers without a country code; language, jurisdiction and zone are never guessed from them.
    """

    identities: tuple[GivenIdentity, ...]
    phone_region: str
    full_name: str | None = None
    carer_role: CarerRole = CarerRole.UNKNOWN
    language: str = "en"
    jurisdiction: str = "US"
    time_zone: str = "UTC"
    household_of: UUID | None = None
    store_id: UUID | None = None  # none: the actor's own
    channel: Channel | None = None
    campaign: str | None = None
    consents: tuple[GivenConsent, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class MemberRegistered:
    member_id: UUID
    household_id: UUID


@dataclass(frozen=True, slots=True)
class AlreadyRegistered:
    """One of the identities is another member's: serve her, or give another. Null when the actor may not see her."""

    kind: IdentityKind
    member_id: UUID | None


class _Taken(Exception):
    """An identity belongs to somebody else: leave the transaction without a trace."""

    def __init__(self, identity: GivenIdentity) -> None:
        self.identity = identity


async def register(
    actor: Actor, given: Registration
) -> MemberRegistered | AlreadyRegistered | MemberNotFound | NotPermitted | ValidationError:
    """One new member with her identities and consents, or nothing at all.

    However many register the same identity at once, one member comes of it and the others learn who she is. A family
    phone is no obstacle inside its household: the second carer keeps it as evidence, look-ups answer the first.
    """
    if not actor.may(Permission.WRITE_MEMBERS):
        return NotPermitted(Permission.WRITE_MEMBERS)
    identities, errors = normalise(given.identities, given.phone_region)
    errors += _flaws(given)
    errors += await _store_flaws(given, identities)
    if errors:
        return ValidationError(tuple(errors))
    try:
        async with in_transaction():
            household_id = await _household(actor, given.household_of)
            if household_id is None:
                return MemberNotFound()
            now = await business_now()
            member_id = await _insert_member(actor, given, household_id, now)
            for identity in identities:
                await _insert_identity(actor, member_id, household_id, identity, now)
            await _insert_consents(actor, given, member_id, now)
            await announce(MEMBER_TIMELINE, member_id)
            return MemberRegistered(member_id, household_id)
    except _Taken as taken:
        return AlreadyRegistered(taken.identity.kind, await _visible_holder(actor, taken.identity))


def normalise(identities: tuple[GivenIdentity, ...], phone_region: str) -> tuple[list[GivenIdentity], list[FieldError]]:
    """The identities as the house keeps them, in one order for everybody, so that two registrations cannot deadlock."""
    kept: set[GivenIdentity] = set()
    errors = []
    for identity in identities:
        match identity.kind:
            case IdentityKind.PHONE:
                value, wrong = normalised_phone(identity.value, phone_region), "Not a valid phone number."
            case IdentityKind.EMAIL:
                value, wrong = normalised_email(identity.value), "Not an e-mail address."
            case _:
                value, wrong = _code(identity.value), f"1 to {CODE_LENGTH} printable characters."
        namespace = "" if identity.kind in SHAREABLE else identity.namespace.strip()
        if value is None or len(namespace) > 64:
            errors.append(FieldError(f"identities.{identity.kind.value}", wrong))
        else:
            kept.add(GivenIdentity(identity.kind, value, namespace))
    if not identities:
        errors.append(FieldError("identities", "A phone, a card or another identity is needed."))
    return sorted(kept, key=lambda i: (i.kind in SHAREABLE, i.kind.value, i.namespace, i.value)), errors


def _code(text: str) -> str | None:
    code = text.strip()
    return code if 0 < len(code) <= CODE_LENGTH and code.isprintable() and set(code) != {"0"} else None


def _flaws(given: Registration) -> list[FieldError]:
    flaws = []
    if given.full_name is not None and not 0 < len(given.full_name.strip()) <= NAME_LENGTH:
        flaws.append(FieldError("fullName", f"1 to {NAME_LENGTH} characters, or none at all."))
    flaws += place_flaws(given.language, given.jurisdiction, given.time_zone)
    if given.campaign is not None and len(given.campaign) > 100:
        flaws.append(FieldError("campaign", "At most 100 characters."))
    for consent in given.consents:
        flaw = consent.evidence.flaw(ConsentState.GRANTED)
        flaws += [FieldError(f"consents.{error.field}", error.message) for error in flaw.errors] if flaw else []
    return flaws


async def _store_flaws(given: Registration, identities: list[GivenIdentity]) -> list[FieldError]:
    """A store's own number or a kiosk's card, typed for a member who has none, would make one person of forty."""
    blocks = await standing_blocks((identity.kind, identity.value) for identity in identities)
    flaws = []
    for identity in identities:
        reason = blocks.get((identity.kind, identity.value))
        if reason not in BLOCKING:
            reason = flaw_of(identity.kind, identity.value, is_synthetic=True)  # test numbers are marked when kept
        if reason is not None:
            flaws.append(FieldError(f"identities.{identity.kind.value}", *WHY_BLOCKED[reason]))
    rows = await connection().execute_query_dict(
        "SELECT $1::uuid IS NULL OR EXISTS (SELECT 1 FROM stores WHERE id = $1) AS is_known", [given.store_id]
    )
    if not rows[0]["is_known"]:
        flaws.append(FieldError("storeId", "No such store."))
    return flaws


async def _household(actor: Actor, household_of: UUID | None) -> UUID | None:
    if household_of is None:
        household_id = new_id()
        await connection().execute_query(
            "INSERT INTO households (id, source, external_id) VALUES ($1, $2, $3)",
            [household_id, system_of(actor), str(household_id)],
        )
        return household_id
    if not await is_in_scope(actor, household_of):
        return None
    rows = await connection().execute_query_dict("SELECT household_id FROM members WHERE id = $1", [household_of])
    found: UUID = rows[0]["household_id"]
    return found


async def _insert_member(actor: Actor, given: Registration, household_id: UUID, now: datetime) -> UUID:
    member_id = new_id()
    name = given.full_name.strip() if given.full_name else None
    values: dict[str, Any] = {
        "id": member_id,
        "household_id": household_id,
        "carer_role": given.carer_role,
        "full_name": name,
        "name_source": said_by(actor) if name else None,
        "name_key": name_key(name) if name else None,
        "name_initials": name_initials(name) if name else None,
        "language": canonical_language(given.language),
        "jurisdiction": given.jurisdiction,
        "time_zone": given.time_zone,
        "owner_id": actor.staff_id,  # who served her owns the contact
        "store_id": given.store_id or actor.store_id,
        "source": system_of(actor),
        "external_id": str(member_id),
        "joined_on": local_day(now, given.time_zone),
        "joined_channel": given.channel,
        "joined_campaign": given.campaign,
        "joined_by_id": actor.staff_id,
    }
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await connection().execute_query(
        f"INSERT INTO members ({', '.join(values)}) VALUES ({places})", list(values.values())
    )
    await note_first_owner(member_id, actor.staff_id, now)
    return member_id


async def _insert_identity(
    actor: Actor, member_id: UUID, household_id: UUID, identity: GivenIdentity, now: datetime
) -> None:
    """Hers alone, or, when her own household holds it already, shared evidence; raises _Taken when it is another's."""
    synthetic = actor.makes_up or is_test_value(identity.kind, identity.value)
    insert = (
        "INSERT INTO identities (id, member_id, kind, namespace, value, is_synthetic, first_seen_at, last_seen_at, "
        "is_primary) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8) "
        "ON CONFLICT (kind, namespace, value) WHERE is_primary DO NOTHING RETURNING id"
    )
    row = [new_id(), member_id, identity.kind, identity.namespace, identity.value, synthetic, now]
    if await connection().execute_query_dict(insert, [*row, True]):
        return
    if identity.kind not in SHAREABLE or await _holders_household(identity) != household_id:
        raise _Taken(identity)
    await connection().execute_query_dict(insert, [*row, False])


async def _holders_household(identity: GivenIdentity) -> UUID | None:
    rows = await connection().execute_query_dict(
        "SELECT m.household_id FROM identities i JOIN members m ON m.id = i.member_id "
        "WHERE i.kind = $1 AND i.namespace = $2 AND i.value = $3 AND i.is_primary",
        [identity.kind, identity.namespace, identity.value],
    )
    return rows[0]["household_id"] if rows else None


async def _insert_consents(actor: Actor, given: Registration, member_id: UUID, now: datetime) -> None:
    for consent in given.consents:
        await write_consent(
            member_id, consent.purpose, consent.channel, ConsentState.GRANTED, consent.evidence,
            source=said_by(actor), now=now, recorded_by=actor.account_id,
        )  # fmt: skip


async def _visible_holder(actor: Actor, identity: GivenIdentity) -> UUID | None:
    rows = await connection().execute_query_dict(
        "SELECT member_id FROM identities WHERE kind = $1 AND namespace = $2 AND value = $3 AND is_primary",
        [identity.kind, identity.namespace, identity.value],
    )
    return rows[0]["member_id"] if rows and await is_in_scope(actor, rows[0]["member_id"]) else None
