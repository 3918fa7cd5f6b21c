"""Merging two who are one, taking it back, and saying who are two."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id, encode_id
from api.payloads import project
from api.schema.failures import Failure, IdempotencyConflict, InProgress, MemberNotFound, ValidationError
from api.schema.mutations import IdempotencyKey, granted, translates
from domain.people import merge_suggestions, merges

if TYPE_CHECKING:
    from api.schema.people.members import Member

Her = Annotated["Member", strawberry.lazy("api.schema.people.members")]


@strawberry.type(description="The two are one: everything of the other is hers.")
class MembersMerged:
    merge_id: strawberry.ID = strawberry.field(description="By which it can be taken back.")
    member: Her | None = strawberry.field(description="Who stays, with what was the other's.")


@strawberry.type(description="Rows of a table that a merge would touch.")
class MergedRows:
    table: str = strawberry.field(description="Which table.")
    changed: int = strawberry.field(description="Rows that move or take over a value.")
    removed: int = strawberry.field(description="Rows that one of the other side stands for.")
    added: int = strawberry.field(description="Rows that are written anew: consents that the stricter side withdrew.")


@strawberry.type(description="What a merge would do, tried and taken back: nothing was written.")
class MergePreviewed:
    member: Her | None = strawberry.field(description="Who would stay, as she is now.")
    absorbed: Her | None = strawberry.field(description="Who would become part of her, as she is now.")
    rows: list[MergedRows] = strawberry.field(description="By table.")


@strawberry.type(description="The two are two again, each with what was hers and what came since under her names.")
class MembersUnmerged:
    member: Her | None = strawberry.field(description="Who stayed.")
    restored: Her | None = strawberry.field(description="Who is herself again.")


@strawberry.type(description="What somebody said of two members is kept and binds rules and people.")
class PairDecided:
    suggestion_id: strawberry.ID = strawberry.field(description="The pair.")
    is_apart: bool = strawberry.field(description="true: they are two people.")


@strawberry.type(description="Somebody said that these are two people; take that back first.")
class KeptApart(Failure):
    suggestion_id: strawberry.ID = strawberry.field(description="The pair of which it was said.")


@strawberry.type(description="No such merge among members whom the caller may see, or it was taken back.")
class MergeNotFound(Failure):
    pass


MergeMembersResult = Annotated[
    MembersMerged | KeptApart | MemberNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("MergeMembersResult"),
]
PreviewMergeResult = Annotated[
    MergePreviewed | KeptApart | MemberNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("PreviewMergeResult"),
]
UnmergeMembersResult = Annotated[
    MembersUnmerged | MergeNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("UnmergeMembersResult"),
]
KeepApartResult = Annotated[
    PairDecided | MemberNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("KeepApartResult"),
]


@strawberry.input(description="Two members who are one person.")
class MergeMembersInput:
    member_id: strawberry.ID = strawberry.field(description="Who stays.")
    absorbed_id: strawberry.ID = strawberry.field(description="Who becomes part of her.")
    reason: str = strawberry.field(default="", description="How you know: at most 400 characters.")


@strawberry.input(description="Two members who may be one person.")
class PreviewMergeInput:
    member_id: strawberry.ID = strawberry.field(description="Who would stay.")
    absorbed_id: strawberry.ID = strawberry.field(description="Who would become part of her.")


@strawberry.input(description="A merge that was a mistake.")
class UnmergeMembersInput:
    merge_id: strawberry.ID = strawberry.field(description="Which merge.")
    reason: str = strawberry.field(description="Why: 1 to 400 characters, kept with it.")


@strawberry.input(description="Two members of whom you know whether they are two people.")
class KeepApartInput:
    member_id: strawberry.ID = strawberry.field(description="The one.")
    other_id: strawberry.ID = strawberry.field(description="The other.")
    is_apart: bool = strawberry.field(default=True, description="false takes it back.")


@strawberry.type
class MergeMutations:
    @strawberry.mutation(
        description="Make two members one. Orders, words, messages, identities, tags and families move; of consents "
        "the strictest latest word stands, suppressions and losses hold for both. `unmergeMembers` takes it back."
    )
    async def merge_members(
        self, info: Info, input: MergeMembersInput, idempotency_key: IdempotencyKey
    ) -> MergeMembersResult:
        actor = info.context.actor
        stays, goes = decode_id("Member", input.member_id), decode_id("Member", input.absorbed_id)
        return await granted(
            info, idempotency_key, input, (merges.MembersMerged, merges.KeptApart),
            lambda: merges.merge(actor, stays, goes, input.reason),
            lambda merged: MembersMerged(
                merge_id=strawberry.ID(encode_id("Merge", merged.merge_id)),
                member=project(info, "Member", merged.member_id)
            ),
        )  # fmt: skip

    @strawberry.mutation(description="What `mergeMembers` would do, counted by doing it and taking it back at once.")
    async def preview_merge(
        self, info: Info, input: PreviewMergeInput, idempotency_key: IdempotencyKey
    ) -> PreviewMergeResult:
        actor = info.context.actor
        stays, goes = decode_id("Member", input.member_id), decode_id("Member", input.absorbed_id)
        return await granted(
            info, idempotency_key, input, (merges.MergePreviewed, merges.KeptApart),
            lambda: merges.preview(actor, stays, goes),
            lambda seen: MergePreviewed(
                member=project(info, "Member", seen.member_id),
                absorbed=project(info, "Member", seen.absorbed_id),
                rows=[
                    MergedRows(
                        table=table, changed=kinds.get("CHANGED", 0), removed=kinds.get("DELETED", 0),
                        added=kinds.get("ADDED", 0),
                    )
                    for table, kinds in seen.rows.items()
                ],
            ),
        )  # fmt: skip

    @strawberry.mutation(
        description="Take a merge back: every row as it was, and what came since under the old names goes with them. "
        "The two are kept apart from then on."
    )
    async def unmerge_members(
        self, info: Info, input: UnmergeMembersInput, idempotency_key: IdempotencyKey
    ) -> UnmergeMembersResult:
        actor, merge = info.context.actor, decode_id("Merge", input.merge_id)
        return await granted(
            info, idempotency_key, input, (merges.MembersUnmerged, merges.MergeNotFound),
            lambda: merges.unmerge(actor, merge, input.reason),
            lambda undone: MembersUnmerged(
                member=project(info, "Member", undone.member_id), restored=project(info, "Member", undone.absorbed_id)
            ),
        )  # fmt: skip

    @strawberry.mutation(
        description="Say that two members are two people, so that nothing merges them; or take it back."
    )
    async def keep_apart(self, info: Info, input: KeepApartInput, idempotency_key: IdempotencyKey) -> KeepApartResult:
        actor = info.context.actor
        one, other = decode_id("Member", input.member_id), decode_id("Member", input.other_id)
        return await granted(
            info, idempotency_key, input, (merge_suggestions.PairDecided,),
            lambda: merge_suggestions.decide(actor, one, other, is_apart=input.is_apart),
            lambda decided: PairDecided(
                suggestion_id=strawberry.ID(encode_id("MergeSuggestion", decided.suggestion_id)),
                is_apart=decided.is_apart
            ),
        )  # fmt: skip


@translates(merges.KeptApart)
def _kept_apart(failure: merges.KeptApart) -> KeptApart:
    return KeptApart(
        message="Somebody said that these are two people.",
        suggestion_id=strawberry.ID(encode_id("MergeSuggestion", failure.suggestion_id)),
    )


@translates(merges.MergeNotFound)
def _merge_not_found(_: merges.MergeNotFound) -> MergeNotFound:
    return MergeNotFound(message="No such merge.")
