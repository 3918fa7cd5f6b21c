"""A member's token, and a contact in full. Neither answer is kept: asked again they answer and are audited again;
what is kept is the key with the hash of its request.
"""

from datetime import datetime
from typing import Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.rates import brake_look_ups
from api.schema.failures import IdempotencyConflict, MemberNotFound, ValidationError
from api.schema.mutations import SecretKey, granted_anew
from domain.people.identities import IdentityKind
from domain.people.phones import normalised_email, normalised_phone
from domain.people.reveals import reveal
from domain.platform.tokens import Issued, open_member_token


@strawberry.type(description="A member's token. Give it to her own client, nobody else's.")
class MemberTokenOpened:
    token: str = strawberry.field(description="Bearer token; shown once.")
    expires_at: datetime = strawberry.field(description="15 minutes from now (real clock).")


@strawberry.type(description="Contacts in full. The look is in the audit.")
class ContactRevealed:
    kind: IdentityKind = strawberry.field(description="Which kind.")
    values: list[str] = strawberry.field(description="In full, the first to use first.")


@strawberry.input(description="The identity that the service has verified: a code by SMS, a mini-program's login.")
class VerifiedIdentityInput:
    kind: IdentityKind = strawberry.field(description="Which kind.")
    value: str = strawberry.field(description="The identity itself; phones as E.164 or as written at home.")
    namespace: str | None = strawberry.field(
        default=None, description="The system that issued it, where it is not alone."
    )


OpenMemberTokenResult = Annotated[
    MemberTokenOpened | MemberNotFound | ValidationError | IdempotencyConflict,
    strawberry.union("OpenMemberTokenResult", description="What became of it."),
]
RevealContactResult = Annotated[
    ContactRevealed | MemberNotFound | ValidationError | IdempotencyConflict,
    strawberry.union("RevealContactResult", description="What became of it."),
]


def _normalised(info: Info, kind: IdentityKind, value: str) -> str:
    if kind is IdentityKind.PHONE:
        return normalised_phone(value, info.context.config.phone_region) or ""
    return (normalised_email(value) or "") if kind is IdentityKind.EMAIL else value


def _opened(issued: Issued) -> MemberTokenOpened:
    assert issued.expires_at is not None
    return MemberTokenOpened(token=issued.secret, expires_at=issued.expires_at)


@strawberry.type
class AccessMutations:
    @strawberry.mutation(description="For services: a 15-minute token for the member whose identity was verified.")
    async def open_member_token(
        self, info: Info, identity: VerifiedIdentityInput, idempotency_key: SecretKey
    ) -> OpenMemberTokenResult:
        brake_look_ups(info.context, info.context.config)
        actor, value = info.context.actor, _normalised(info, identity.kind, identity.value)
        return await granted_anew(
            info,
            idempotency_key,
            identity,
            lambda: open_member_token(actor, identity.kind, value, identity.namespace),
            _opened,
        )

    @strawberry.mutation(description="A member's phones, e-mails or cards in full, for who may. Audited.")
    async def reveal_contact(
        self, info: Info, member_id: strawberry.ID, kind: IdentityKind, idempotency_key: SecretKey
    ) -> RevealContactResult:
        actor, member = info.context.actor, decode_id("Member", member_id)
        return await granted_anew(
            info,
            idempotency_key,
            {"memberId": str(member), "kind": kind.value},
            lambda: reveal(actor, member, kind),
            lambda revealed: ContactRevealed(kind=revealed.kind, values=list(revealed.values)),
        )
