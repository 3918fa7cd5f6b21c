"""Root fields about who may be one person, and about values that name nobody."""

from typing import Annotated

import strawberry

from api.projection import Ask, connection
from api.projection.pages import Connection
from api.schema.people.merges import IdentityBlock, MergeSuggestion
from domain.people.identity_blocks import BlockReason
from domain.people.merge_suggestions import SuggestionState


def _suggestions(
    ask: Ask,
    alias: str,
    states: Annotated[
        list[SuggestionState] | None, strawberry.argument(description="Only these states; left out: OPEN.")
    ] = None,
) -> list[str]:
    wanted = states if states is not None else [SuggestionState.OPEN]
    return [f"{alias}.state = ANY({ask([state.value for state in wanted], 'text[]')})"]


def _blocks(
    ask: Ask,
    alias: str,
    reasons: Annotated[
        list[BlockReason] | None, strawberry.argument(description="Only these; SHARED is the quarantine.")
    ] = None,
    in_force: Annotated[bool | None, strawberry.argument(description="true: only those not lifted.")] = None,
) -> list[str]:
    found = []
    if reasons is not None:
        found.append(f"{alias}.reason = ANY({ask([reason.value for reason in reasons], 'text[]')})")
    if in_force is not None:
        found.append(f"({alias}.lifted_at IS NULL) = {ask(in_force, 'boolean')}")
    return found


@strawberry.type
class MergeQueries:
    merge_suggestions: Connection[MergeSuggestion] | None = connection(
        "Pairs who may be one person, the likeliest first, both within the caller's scope.",
        key=(("confidence", "DESC", "float8"), ("id", "ASC", "uuid")),
        find=_suggestions,
        unindexed="Pairs that wait are few and have an index by state.",
    )
    identity_blocks: Connection[IdentityBlock] | None = connection(
        "Values that name nobody, the latest first.",
        key=(("blocked_at", "DESC", "timestamptz"), ("id", "DESC", "uuid")),
        find=_blocks,
    )
