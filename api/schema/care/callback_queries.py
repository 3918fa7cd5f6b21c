"""Root fields about call-backs."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.ids import decode_id
from api.projection import Ask, connection
from api.projection.pages import Connection
from api.schema.care.callbacks import CallbackTask
from domain.care.callbacks import CallbackKind, CallbackState
from domain.care.queues import CallbackQueue, in_queue
from domain.people.scopes import sees_task


def _find(
    ask: Ask,
    alias: str,
    states: Annotated[
        list[CallbackState] | None, strawberry.argument(description="Only these states; left out: OPEN and LEASED.")
    ] = None,
    kinds: Annotated[list[CallbackKind] | None, strawberry.argument(description="Only these kinds.")] = None,
    is_due: Annotated[bool | None, strawberry.argument(description="true: only those due now.")] = None,
    is_mine: Annotated[bool | None, strawberry.argument(description="true: only those that the caller holds.")] = None,
    queue: Annotated[
        CallbackQueue | None,
        strawberry.argument(
            description="Only those that `takeNextCallback` would give the caller in this turn: her OWN, then her "
            "STORE's, then the POOL's, then those that she RETURNED herself. No task is in two."
        ),
    ] = None,
    closed_since: Annotated[
        datetime | None,
        strawberry.argument(description="Only those that ended at that moment or later (business clock)."),
    ] = None,
    member_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only this member's.")] = None,
) -> list[str]:
    wanted = states if states is not None else [CallbackState.OPEN, CallbackState.LEASED]
    found = [f"{alias}.state = ANY({ask([state.value for state in wanted], 'text[]')})"]
    found.append(sees_task(ask.actor, ask.parameters, alias))
    if kinds is not None:
        found.append(f"{alias}.kind = ANY({ask([kind.value for kind in kinds], 'text[]')})")
    if is_due:
        found.append(f"{alias}.not_before <= (SELECT business_now()) AND {alias}.expires_at > (SELECT business_now())")
    if is_mine:
        found.append(f"{alias}.lease_account_id = {ask(ask.actor.account_id, 'uuid')}")
    if queue is not None:
        found.append(in_queue(queue, ask.actor, ask.parameters, alias))
    if closed_since is not None:
        found.append(f"{alias}.closed_at >= {ask(closed_since, 'timestamptz')}")
    if member_id is not None:
        found.append(f"{alias}.member_id = {ask(decode_id('Member', member_id), 'uuid')}")
    return found


@strawberry.type
class CallbackQueries:
    callback_tasks: Connection[CallbackTask] | None = connection(
        "Call-backs that the caller may work on, highest priority first.",
        key=(("priority", "DESC", "float8"), ("id", "ASC", "uuid")),
        find=_find,
        unindexed="Open and taken tasks are few and have partial indexes; closed ones are asked by closedSince.",
    )
