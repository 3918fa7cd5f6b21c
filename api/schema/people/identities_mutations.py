"""Identities: who is meant by those that a channel knows, and which values name nobody."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id, encode_id
from api.payloads import project
from api.schema.failures import Failure, IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, at_most, granted, translates
from api.schema.people.members_mutations import MOST_IDENTITIES, IdentityInput
from domain.people import identity_blocks, resolutions
from domain.people.identities import IdentityKind
from domain.people.identity_blocks import BlockReason
from domain.people.registrations import GivenIdentity
from domain.people.resolution_plans import LeftOut, Wish
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from api.schema.people.members import Member

Her = Annotated["Member", strawberry.lazy("api.schema.people.members")]


@strawberry.type(description="An identity that was not kept.")
class LeftOutIdentity:
    kind: IdentityKind = strawberry.field(description="Which kind.")
    reason: str = strawberry.field(description="Why it names nobody, or LIMIT: she has as many as one person may.")


@strawberry.type(description="The one member who is meant.")
class MemberResolved:
    member: Her | None = strawberry.field(description="As the caller may see her.")
    is_new: bool = strawberry.field(description="Whether she was made by this.")
    left_out: list[LeftOutIdentity] = strawberry.field(description="What was not kept.")
    merged: int = strawberry.field(description="Members who became part of her, because their issuer vouches for both.")
    suggested: int = strawberry.field(description="Pairs that wait for a person's look because of this.")


@strawberry.type(description="Everything given names nobody: blocked, in quarantine, or a device's. Give another.")
class NothingToGoBy(Failure):
    left_out: list[LeftOutIdentity] = strawberry.field(description="What was not kept, and why.")


@strawberry.type(description="The value names nobody from now on.")
class IdentityBlocked:
    block_id: strawberry.ID = strawberry.field(description="By which it can be lifted.")
    members: int = strawberry.field(description="How many members held it; they keep it as evidence.")


@strawberry.type(description="The value names people again.")
class IdentityBlockLifted:
    member: Her | None = strawberry.field(description="Whom a look-up by it answers now, as the caller may see her.")


@strawberry.type(description="No such block, or it was lifted before.")
class BlockNotFound(Failure):
    pass


ResolveMemberResult = Annotated[
    MemberResolved | NothingToGoBy | MemberNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("ResolveMemberResult"),
]
BlockIdentityResult = Annotated[
    IdentityBlocked | ValidationError | IdempotencyConflict | InProgress, strawberry.union("BlockIdentityResult")
]
LiftIdentityBlockResult = Annotated[
    IdentityBlockLifted | BlockNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("LiftIdentityBlockResult"),
]


@strawberry.input(description="What a channel knows of somebody.")
class ResolveMemberInput:
    identities: list[IdentityInput] = strawberry.field(description=f"All of them at once: 1 to {MOST_IDENTITIES}.")
    verified_by: str = strawberry.field(
        default="",
        description="Who vouches that all of them are one person's: wechat, pos, otp, ... Empty: nobody; then what "
        "contradicts itself waits for a look instead of being merged.",
    )
    is_synthetic: bool = strawberry.field(default=False, description="Made up: numbers set aside for trials are kept.")
    name: str | None = strawberry.field(default=None, description="Of a new member: at most 200 characters.")
    channel: Channel | None = strawberry.field(default=None, description="Of a new member: the way on which she came.")


@strawberry.input(description="A value that names nobody.")
class BlockIdentityInput:
    kind: IdentityKind = strawberry.field(description="What kind.")
    value: str = strawberry.field(description="As it is given; phones without country code are this region's.")
    reason: BlockReason = strawberry.field(description="KIOSK, STORE_PHONE, STAFF or PLACEHOLDER.")
    note: str = strawberry.field(default="", description="At most 400 characters.")


@strawberry.input(description="A block, or a quarantine, that was looked into.")
class LiftIdentityBlockInput:
    block_id: strawberry.ID = strawberry.field(description="Which.")


@strawberry.type
class IdentityMutations:
    @strawberry.mutation(
        description="Find the one member who is meant by these identities, or make her. However many ask at once, one "
        "member comes of it. A phone alone never makes two people one."
    )
    async def resolve_member(
        self, info: Info, input: ResolveMemberInput, idempotency_key: IdempotencyKey
    ) -> ResolveMemberResult:
        actor, config = info.context.actor, info.context.config
        given = at_most(MOST_IDENTITIES, "identities", input.identities)
        wish = Wish(
            tuple(GivenIdentity(one.kind, one.value, one.issuer) for one in given), input.verified_by.strip(),
            is_synthetic=input.is_synthetic, full_name=input.name, time_zone=config.time_zone, channel=input.channel,
        )  # fmt: skip
        return await granted(
            info, idempotency_key, input, (resolutions.MemberResolved, resolutions.NothingToGoBy),
            lambda: resolutions.resolve(actor, wish, phone_region=config.phone_region),
            lambda resolved: MemberResolved(
                member=project(info, "Member", resolved.member_id),
                is_new=resolved.is_new,
                left_out=_left_out(resolved.left_out),
                merged=resolved.merged,
                suggested=resolved.suggested,
            ),
        )  # fmt: skip

    @strawberry.mutation(
        description="A kiosk's card, a store's phone, everybody's number: it names nobody from now on."
    )
    async def block_identity(
        self, info: Info, input: BlockIdentityInput, idempotency_key: IdempotencyKey
    ) -> BlockIdentityResult:
        actor, region = info.context.actor, info.context.config.phone_region
        return await granted(
            info, idempotency_key, input, (identity_blocks.IdentityBlocked,),
            lambda: identity_blocks.block(
                actor, input.kind, input.value, input.reason, input.note, phone_region=region
            ),
            lambda blocked: IdentityBlocked(
                block_id=strawberry.ID(encode_id("IdentityBlock", blocked.block_id)), members=blocked.members
            ),
        )  # fmt: skip

    @strawberry.mutation(
        description="Lift a block or a quarantine: of its holders the verified one, else the longest known, "
        "is found by it."
    )
    async def lift_identity_block(
        self, info: Info, input: LiftIdentityBlockInput, idempotency_key: IdempotencyKey
    ) -> LiftIdentityBlockResult:
        actor, block = info.context.actor, decode_id("IdentityBlock", input.block_id)
        return await granted(
            info, idempotency_key, input, (identity_blocks.BlockLifted, identity_blocks.BlockNotFound),
            lambda: identity_blocks.lift(actor, block),
            lambda lifted: IdentityBlockLifted(
                member=project(info, "Member", lifted.member_id) if lifted.member_id else None
            ),
        )  # fmt: skip


def _left_out(found: tuple[LeftOut, ...]) -> list[LeftOutIdentity]:
    return [LeftOutIdentity(kind=one.kind, reason=one.reason) for one in found]


@translates(resolutions.NothingToGoBy)
def _nothing_to_go_by(failure: resolutions.NothingToGoBy) -> NothingToGoBy:
    return NothingToGoBy(message="These name nobody in particular: give another.", left_out=_left_out(failure.left_out))


@translates(identity_blocks.BlockNotFound)
def _block_not_found(_: identity_blocks.BlockNotFound) -> BlockNotFound:
    return BlockNotFound(message="No such block.")
