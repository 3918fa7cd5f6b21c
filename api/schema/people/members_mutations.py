"""Joining, profiles, tags and consents."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from api.context import Info
from api.errors import bad_user_input
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import (
    BabyNotFound,
    Failure,
    IdempotencyConflict,
    InProgress,
    MemberNotFound,
    ValidationError,
    VersionConflict,
)
from api.schema.mutations import IdempotencyKey, at_most, granted, translates
from domain.people import consents, members, registrations, tags
from domain.people import failures as people
from domain.people.consents import ConsentEvidence, ConsentState
from domain.people.failures import BabyNotFound as BabyNotFoundFailure
from domain.people.identities import IdentityKind
from domain.people.members import UNSET, CarerRole, MemberChanges
from domain.people.registrations import GivenConsent, GivenIdentity, Registration
from domain.platform import failures
from domain.platform.sources import Channel, Purpose

if TYPE_CHECKING:
    from api.schema.people.members import Member

MOST_IDENTITIES = 10
MOST_CONSENTS = 24

Her = Annotated["Member", strawberry.lazy("api.schema.people.members")]


@strawberry.type(description="She is a member.")
class MemberRegistered:
    member: Her | None = strawberry.field(description="As the caller may see her; null when out of the caller's scope.")


@strawberry.type(description="The profile was changed.")
class MemberUpdated:
    member: Her | None = strawberry.field(description="As she is now.")


@strawberry.type(description="The tag is set.")
class MemberTagged:
    member: Her | None = strawberry.field(description="As she is now.")


@strawberry.type(description="The tag is off; it stays in her history.")
class MemberUntagged:
    member: Her | None = strawberry.field(description="As she is now.")


@strawberry.type(description="What she said is recorded and binds from now.")
class ConsentRecorded:
    member: Her | None = strawberry.field(description="With the consents that are in force now.")


@strawberry.type(description="Another member has this identity: serve her, or give another.")
class AlreadyRegistered(Failure):
    kind: IdentityKind = strawberry.field(description="Which identity.")
    member: Her | None = strawberry.field(description="She who has it; null when the caller may not see her.")


@strawberry.type(description="The catalogue has no such tag.")
class TagNotFound(Failure):
    key: str = strawberry.field(description="What was asked for.")


@strawberry.type(description="She does not carry this tag now.")
class TagNotSet(Failure):
    key: str = strawberry.field(description="Which tag.")


RegisterMemberResult = Annotated[
    MemberRegistered | AlreadyRegistered | MemberNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("RegisterMemberResult"),
]
UpdateMemberResult = Annotated[
    MemberUpdated | MemberNotFound | VersionConflict | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("UpdateMemberResult"),
]
TagMemberResult = Annotated[
    MemberTagged | MemberNotFound | BabyNotFound | TagNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("TagMemberResult"),
]
UntagMemberResult = Annotated[
    MemberUntagged
    | MemberNotFound
    | BabyNotFound
    | TagNotFound
    | TagNotSet
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("UntagMemberResult"),
]
RecordConsentResult = Annotated[
    ConsentRecorded | MemberNotFound | BabyNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("RecordConsentResult"),
]


@strawberry.input(description="An identity given by another system.")
class IdentityInput:
    kind: IdentityKind = strawberry.field(description="What kind.")
    value: str = strawberry.field(description="The issuer's own spelling.")
    issuer: str = strawberry.field(default="", description="The system that knows her by it.")


@strawberry.input(description="A consent given on joining, with the wording in front of her.")
class GivenConsentInput:
    purpose: Purpose = strawberry.field(description="What for.")
    channel: Channel = strawberry.field(description="On which way.")
    how: str = strawberry.field(description="Where it was said: store_form, call, mini_program, ...")
    text_version: str = strawberry.field(description="Which wording she saw.")
    text: str = strawberry.field(description="The wording itself; its hash is kept.")


@strawberry.input(description="A person who joins. One identity at least: what she says, or what was scanned.")
class RegisterMemberInput:
    phone: str | None = strawberry.field(
        default=None, description="As she says it; without country code: this region's."
    )
    email: str | None = strawberry.field(default=None, description="Her e-mail address.")
    card: str | None = strawberry.field(default=None, description="The number of a scanned card.")
    card_issuer: str = strawberry.field(default="", description="Who issued the card; empty: the brand.")
    identities: list[IdentityInput] = strawberry.field(
        default_factory=list, description=f"Other identities: at most {MOST_IDENTITIES}."
    )
    name: str | None = strawberry.field(default=None, description="At most 200 characters.")
    carer_role: CarerRole = strawberry.field(default=CarerRole.UNKNOWN, description="Who she is to the baby.")
    language: str = strawberry.field(default="en", description="What she reads: BCP 47, en or zh-Hans.")
    jurisdiction: str = strawberry.field(default="US", description="Whose law binds contact with her: ISO 3166.")
    time_zone: str | None = strawberry.field(default=None, description="IANA; left out: the installation's.")
    household_of: strawberry.ID | None = strawberry.field(
        default=None, description="A member whose family she belongs to; a phone may be shared inside it."
    )
    store_id: strawberry.ID | None = strawberry.field(default=None, description="Where; left out: the caller's store.")
    channel: Channel | None = strawberry.field(default=None, description="The way on which she joined.")
    campaign: str | None = strawberry.field(default=None, description="The campaign that brought her.")
    consents: list[GivenConsentInput] = strawberry.field(
        default_factory=list, description=f"What she allows: at most {MOST_CONSENTS}."
    )


@strawberry.input(description="Changes of a profile; what is left out stays, null empties.")
class UpdateMemberInput:
    member_id: strawberry.ID = strawberry.field(description="Who.")
    version: int = strawberry.field(description="The version that the caller saw.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="At most 200 characters.")
    carer_role: CarerRole | None = strawberry.field(default=strawberry.UNSET, description="null: unknown.")
    language: str | None = strawberry.field(default=strawberry.UNSET, description="BCP 47; cannot be emptied.")
    jurisdiction: str | None = strawberry.field(default=strawberry.UNSET, description="ISO 3166; cannot be emptied.")
    time_zone: str | None = strawberry.field(default=strawberry.UNSET, description="IANA; cannot be emptied.")
    handling_note: str | None = strawberry.field(default=strawberry.UNSET, description="At most 1,000 characters.")


@strawberry.input(description="A tag of the catalogue, for a member.")
class TagMemberInput:
    member_id: strawberry.ID = strawberry.field(description="Who.")
    key: str = strawberry.field(description="The tag's key, such as interaction.prefers_calls.")
    evidence: str = strawberry.field(default="", description="Why: at most 400 characters.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="Business clock; left out: the tag's term."
    )
    baby_id: strawberry.ID | None = strawberry.field(default=None, description="On which of her children.")
    is_family: bool = strawberry.field(default=False, description="On the whole family. Neither: on herself.")


@strawberry.input(description="A tag to take off.")
class UntagMemberInput:
    member_id: strawberry.ID = strawberry.field(description="Who.")
    key: str = strawberry.field(description="The tag's key.")
    baby_id: strawberry.ID | None = strawberry.field(default=None, description="Off which of her children.")
    is_family: bool = strawberry.field(default=False, description="Off the whole family. Neither: off herself.")


@strawberry.input(description="What she allows or no longer allows, for one purpose on one channel.")
class RecordConsentInput:
    member_id: strawberry.ID = strawberry.field(description="Who.")
    purpose: Purpose = strawberry.field(description="What for.")
    channel: Channel = strawberry.field(description="On which way.")
    state: ConsentState = strawberry.field(description="Given or withdrawn.")
    how: str = strawberry.field(description="Where it was said: store_form, call, mini_program, ...")
    text_version: str = strawberry.field(default="", description="Which wording she saw; a grant needs it.")
    text: str = strawberry.field(default="", description="The wording itself; a grant needs it. Its hash is kept.")
    store_id: strawberry.ID | None = strawberry.field(default=None, description="Where, if in a store.")
    baby_id: strawberry.ID | None = strawberry.field(
        default=None, description="The baby that it concerns; left out: all that we say to her."
    )


@strawberry.type
class MemberMutations:
    @strawberry.mutation(
        description="Register a member by phone, card or another identity, with consents and attribution. However "
        "often and wherever at once an identity is registered, one member comes of it."
    )
    async def register_member(
        self, info: Info, input: RegisterMemberInput, idempotency_key: IdempotencyKey
    ) -> RegisterMemberResult:
        actor, given = info.context.actor, _registration(info, input)
        return await granted(
            info, idempotency_key, input, (registrations.MemberRegistered, registrations.AlreadyRegistered),
            lambda: registrations.register(actor, given),
            lambda answer: _registered(info, answer),
        )  # fmt: skip

    @strawberry.mutation(description="Change a profile, if it is still as the caller saw it.")
    async def update_member(
        self, info: Info, input: UpdateMemberInput, idempotency_key: IdempotencyKey
    ) -> UpdateMemberResult:
        actor, member, changes = info.context.actor, decode_id("Member", input.member_id), _changes(input)
        return await granted(
            info, idempotency_key, input, (members.MemberUpdated, failures.VersionConflict),
            lambda: members.update(actor, member, input.version, changes),
            lambda _: MemberUpdated(member=project(info, "Member", member)),
        )  # fmt: skip

    @strawberry.mutation(description="Set a tag of the catalogue; set again, it is renewed.")
    async def tag_member(self, info: Info, input: TagMemberInput, idempotency_key: IdempotencyKey) -> TagMemberResult:
        actor, member, about = info.context.actor, decode_id("Member", input.member_id), _about(input)
        return await granted(
            info, idempotency_key, input, (tags.MemberTagged, people.BabyNotFound, tags.TagNotFound),
            lambda: tags.tag_member(actor, member, input.key, input.evidence, input.expires_at, about),
            lambda _: MemberTagged(member=project(info, "Member", member)),
        )  # fmt: skip

    @strawberry.mutation(description="Take a tag off.")
    async def untag_member(
        self, info: Info, input: UntagMemberInput, idempotency_key: IdempotencyKey
    ) -> UntagMemberResult:
        actor, member, about = info.context.actor, decode_id("Member", input.member_id), _about(input)
        return await granted(
            info, idempotency_key, input, (tags.MemberUntagged, people.BabyNotFound, tags.TagNotFound, tags.TagNotSet),
            lambda: tags.untag_member(actor, member, input.key, about),
            lambda _: MemberUntagged(member=project(info, "Member", member)),
        )  # fmt: skip

    @strawberry.mutation(
        description="Record a consent given or withdrawn, in general or about one baby. A member token records for its "
        "own member only. Withdrawing calls takes her open call-backs for that purpose off every list; a general "
        "withdrawal withdraws what she allowed for single babies too."
    )
    async def record_consent(
        self, info: Info, input: RecordConsentInput, idempotency_key: IdempotencyKey
    ) -> RecordConsentResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        baby = _optional_id("Baby", input.baby_id)
        evidence = ConsentEvidence(input.how, input.text_version, input.text, _optional_id("Store", input.store_id))
        return await granted(
            info, idempotency_key, input, (consents.ConsentRecorded, BabyNotFoundFailure),
            lambda: consents.record(actor, member, input.purpose, input.channel, input.state, evidence, baby),
            lambda _: ConsentRecorded(member=project(info, "Member", member)),
        )  # fmt: skip


def _about(given: TagMemberInput | UntagMemberInput) -> tags.About:
    if given.baby_id is not None and given.is_family:
        raise bad_user_input("Say one of babyId and isFamily.")
    return tags.About(_optional_id("Baby", given.baby_id), given.is_family)


def _optional_id(type_name: str, text: str | None) -> UUID | None:
    return decode_id(type_name, text) if text is not None else None


def _registration(info: Info, given: RegisterMemberInput) -> Registration:
    identities = [
        GivenIdentity(of.kind, of.value, of.issuer) for of in at_most(MOST_IDENTITIES, "identities", given.identities)
    ]
    if given.phone is not None:
        identities.append(GivenIdentity(IdentityKind.PHONE, given.phone))
    if given.email is not None:
        identities.append(GivenIdentity(IdentityKind.EMAIL, given.email))
    if given.card is not None:
        identities.append(GivenIdentity(IdentityKind.CARD, given.card, given.card_issuer))
    store_id = _optional_id("Store", given.store_id)
    return Registration(
        tuple(identities),
        phone_region=info.context.config.phone_region,
        full_name=given.name,
        carer_role=given.carer_role,
        language=given.language,
        jurisdiction=given.jurisdiction,
        time_zone=given.time_zone or info.context.config.time_zone,
        household_of=_optional_id("Member", given.household_of),
        store_id=store_id,
        channel=given.channel,
        campaign=given.campaign,
        consents=tuple(
            GivenConsent(of.purpose, of.channel, ConsentEvidence(of.how, of.text_version, of.text, store_id))
            for of in at_most(MOST_CONSENTS, "consents", given.consents)
        ),
    )


def _registered(info: Info, answer: Any) -> Any:
    """The new member, or the one who was there: only here is the row of a failure read for the caller."""
    if isinstance(answer, registrations.AlreadyRegistered):
        known = answer.member_id
        return AlreadyRegistered(
            message="Another member is registered with this.",
            kind=answer.kind,
            member=project(info, "Member", known) if known else None,
        )
    return MemberRegistered(member=project(info, "Member", answer.member_id))


def _changes(given: UpdateMemberInput) -> MemberChanges:
    def kept(value: Any, emptied: Any) -> Any:
        if value is strawberry.UNSET:
            return UNSET
        return emptied if value is None else value

    return MemberChanges(
        full_name=kept(given.name, None),
        carer_role=kept(given.carer_role, CarerRole.UNKNOWN),
        language=kept(given.language, ""),
        jurisdiction=kept(given.jurisdiction, ""),
        time_zone=kept(given.time_zone, ""),
        handling_note=kept(given.handling_note, None),
    )


@translates(tags.TagNotFound)
def _tag_not_found(failure: tags.TagNotFound) -> TagNotFound:
    return TagNotFound(message="The catalogue has no such tag.", key=failure.key)


@translates(tags.TagNotSet)
def _tag_not_set(failure: tags.TagNotSet) -> TagNotSet:
    return TagNotSet(message="She does not carry this tag.", key=failure.key)
