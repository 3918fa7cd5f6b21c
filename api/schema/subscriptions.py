"""What can be watched: ids travel on PostgreSQL's NOTIFY, each event is read again as its watcher may see it."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import strawberry

from api.changes import watch
from api.context import Info
from api.errors import bad_user_input, forbidden
from api.ids import decode_id, encode_id
from api.payloads import project
from api.rates import look_up
from api.schema.care.callbacks import CallbackTask
from api.schema.people.members import Member
from domain.people.scopes import is_in_scope
from domain.platform.changes import CALLBACK_LIST, MEMBER_TIMELINE
from domain.platform.roles import Permission


@strawberry.type(description="A change in the list of call-backs.")
class CallbackListChange:
    task_id: strawberry.ID = strawberry.field(description="The task that changed.")
    task: CallbackTask | None = strawberry.field(description="As it is now; null when the caller may not see it.")


@strawberry.type
class Subscriptions:
    @strawberry.subscription(
        description="The member each time that something is added to her timeline; null when she has left the scope."
    )
    async def member_timeline_changed(
        self, info: Info, member_id: Annotated[strawberry.ID, strawberry.argument(description="The member.")]
    ) -> AsyncIterator[Member | None]:
        actor, wanted = info.context.actor, decode_id("Member", member_id)
        if not actor.may(Permission.READ_MEMBERS):
            raise forbidden(Permission.READ_MEMBERS)
        look_up(info.context, {"watch"})
        if not await is_in_scope(actor, wanted):
            raise bad_user_input("There is no such member.")
        async for word in watch(MEMBER_TIMELINE):
            if word == str(wanted):
                yield project(info, "Member", wanted)

    @strawberry.subscription(description="Each change in the list of call-backs, as the caller may see it.")
    async def callback_list_changed(self, info: Info) -> AsyncIterator[CallbackListChange]:
        if not info.context.actor.may(Permission.READ_CALLBACKS):
            raise forbidden(Permission.READ_CALLBACKS)
        async for word in watch(CALLBACK_LIST):
            yield CallbackListChange(
                task_id=strawberry.ID(encode_id("CallbackTask", word)), task=project(info, "CallbackTask", UUID(word))
            )
