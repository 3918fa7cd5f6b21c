"""Giving members to whoever serves them from now on."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import Failure, IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, granted, translates
from domain.people import owners

if TYPE_CHECKING:
    from api.schema.commerce.staff import Staff
    from api.schema.people.members import Member


@strawberry.type(description="She is served by somebody else now, or was already.")
class OwnerAssigned:
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="As she is now; null when she has left the caller's scope by it."
    )
    calls: int = strawberry.field(description="Open call-backs that went along.")


@strawberry.type(description="What somebody got by a hand-over.")
class OwnerShare:
    staff: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = strawberry.field(
        description="Who serves them now."
    )
    members: int = strawberry.field(description="How many members.")


@strawberry.type(description="All members in the caller's scope have somebody else now; said again, nothing is left.")
class HandedOver:
    members: int = strawberry.field(description="How many members.")
    calls: int = strawberry.field(description="Open call-backs that went along.")
    shares: list[OwnerShare] = strawberry.field(description="Who got how many.")


@strawberry.type(description="Nobody of that id works where the caller may assign.")
class StaffNotFound(Failure):
    pass


@strawberry.type(description="The store has nobody else who can sign in and serve.")
class NobodyToTakeOver(Failure):
    pass


AssignOwnerResult = Annotated[
    OwnerAssigned | MemberNotFound | StaffNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("AssignOwnerResult"),
]
HandOverResult = Annotated[
    HandedOver | StaffNotFound | NobodyToTakeOver | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("HandOverResult"),
]


@strawberry.input(description="Who shall serve a member.")
class AssignOwnerInput:
    member_id: strawberry.ID = strawberry.field(description="Whom.")
    staff_id: strawberry.ID | None = strawberry.field(
        default=None, description="Who; left out: nobody, she is her store's and the pool's."
    )
    reason: str = strawberry.field(default="", description="Why: at most 200 characters.")


@strawberry.input(description="All members of somebody who leaves: to one person, or spread over the staff of a store.")
class HandOverInput:
    from_staff_id: strawberry.ID = strawberry.field(description="Who leaves; she need not be active any more.")
    to_staff_id: strawberry.ID | None = strawberry.field(default=None, description="Who takes them all.")
    over_store_id: strawberry.ID | None = strawberry.field(
        default=None, description="Or: whose active staff take them, who has fewest first, families together."
    )
    reason: str = strawberry.field(default="", description="Why: at most 200 characters.")


@strawberry.type
class OwnerMutations:
    @strawberry.mutation(
        description="Make somebody the owner of the contact with a member. Her open call-backs that were the former "
        "owner's go along; the change stands in her history."
    )
    async def assign_owner(
        self, info: Info, input: AssignOwnerInput, idempotency_key: IdempotencyKey
    ) -> AssignOwnerResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        staff = decode_id("Staff", input.staff_id) if input.staff_id is not None else None
        return await granted(
            info, idempotency_key, input, (owners.OwnerAssigned, owners.StaffNotFound),
            lambda: owners.assign_owner(actor, member, staff, input.reason),
            lambda assigned: OwnerAssigned(member=project(info, "Member", member), calls=assigned.calls),
        )  # fmt: skip

    @strawberry.mutation(
        description="Give all members of somebody who leaves to others, in one transaction, with their open call-backs."
    )
    async def hand_over(self, info: Info, input: HandOverInput, idempotency_key: IdempotencyKey) -> HandOverResult:
        actor, leaver = info.context.actor, decode_id("Staff", input.from_staff_id)
        to = decode_id("Staff", input.to_staff_id) if input.to_staff_id is not None else None
        store = decode_id("Store", input.over_store_id) if input.over_store_id is not None else None
        answers = (owners.HandedOver, owners.StaffNotFound, owners.NobodyToTakeOver)
        return await granted(
            info, idempotency_key, input, answers,
            lambda: owners.hand_over(actor, leaver, to_id=to, over_store_id=store, reason=input.reason),
            lambda handed: HandedOver(
                members=handed.members, calls=handed.calls,
                shares=[
                    OwnerShare(staff=project(info, "Staff", one.staff_id), members=one.members)
                    for one in handed.shares
                ],
            ),
        )  # fmt: skip


@translates(owners.StaffNotFound)
def _staff_not_found(_: owners.StaffNotFound) -> StaffNotFound:
    return StaffNotFound(message="Nobody of that id works where you may assign.")


@translates(owners.NobodyToTakeOver)
def _nobody_to_take_over(_: owners.NobodyToTakeOver) -> NobodyToTakeOver:
    return NobodyToTakeOver(message="The store has nobody else who can sign in and serve. Name a person, or hire one.")
