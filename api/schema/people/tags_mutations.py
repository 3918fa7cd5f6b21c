"""The catalogue of tags, and tagging many at once."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.projection.statements import asked
from api.schema.failures import Failure, IdempotencyConflict, InProgress, ValidationError
from api.schema.mutations import IdempotencyKey, at_most, granted, translates
from api.schema.people.members_mutations import TagNotFound
from api.schema.people.searches import MemberSearch, find_members
from api.schema.segments.segments_mutations import SegmentNotFound
from domain.people import tag_catalogue, tags
from domain.people.tag_catalogue import NewTag, TagFamily
from domain.platform.parameters import Parameters
from domain.segments import segments
from domain.segments.tagging import tag_segment

if TYPE_CHECKING:
    from api.schema.people.tags import CatalogueTag

MOST_IDS = 400


@strawberry.type(description="It is in the catalogue.")
class TagCreated:
    tag: Annotated["CatalogueTag", strawberry.lazy("api.schema.people.tags")] | None = strawberry.field(
        description="As it stands there."
    )


@strawberry.type(description="It is out of use, and nobody carries it.")
class TagRetired:
    tag: Annotated["CatalogueTag", strawberry.lazy("api.schema.people.tags")] | None = strawberry.field(
        description="As it stands in the catalogue."
    )
    removed: int = strawberry.field(description="From how many it was taken; retired again, from none.")


@strawberry.type(description="The catalogue has another tag of this key, perhaps a retired one.")
class TagExists(Failure):
    key: str = strawberry.field(description="Which key.")


@strawberry.type(description="All of them carry the tag.")
class MembersTagged:
    chosen: int = strawberry.field(description="How many were chosen and may be seen by the caller.")
    tagged: int = strawberry.field(description="For how many something changed; said again, for none.")


CreateTagResult = Annotated[
    TagCreated | TagExists | ValidationError | IdempotencyConflict | InProgress, strawberry.union("CreateTagResult")
]
RetireTagResult = Annotated[
    TagRetired | TagNotFound | ValidationError | IdempotencyConflict | InProgress, strawberry.union("RetireTagResult")
]
TagMembersResult = Annotated[
    MembersTagged | TagNotFound | SegmentNotFound | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("TagMembersResult"),
]


@strawberry.input(description="A tag for the catalogue.")
class CreateTagInput:
    key: str = strawberry.field(description="Lower-case, dotted, beginning with its family: attribute.twins.")
    family: TagFamily = strawberry.field(description="What it speaks of; those of MODEL come with the models.")
    label_en: str = strawberry.field(description="In English: 1 to 100 characters.")
    label_zh: str = strawberry.field(description="In 简体中文: 1 to 100 characters.")
    description: str = strawberry.field(default="", description="What it means: at most 400 characters.")
    valid_days: int | None = strawberry.field(
        default=None, description="For how many days it holds unless said otherwise; left out: for good."
    )
    owner_id: strawberry.ID | None = strawberry.field(default=None, description="Whoever answers for it: staff.")


@strawberry.input(description="A tag for many members: by their ids, by a search, or by a segment.")
class TagMembersInput:
    key: str = strawberry.field(description="The tag's key.")
    member_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description=f"At most {MOST_IDS}; those whom the caller may not see are left out."
    )
    search: MemberSearch | None = strawberry.field(
        default=None, description=f"Or all whom it finds, at most {tags.MOST_AT_ONCE:,}."
    )
    segment_id: strawberry.ID | None = strawberry.field(
        default=None,
        description=f"Or all who are in the segment now, at most {tags.MOST_OF_A_SEGMENT:,}. Needs READ_SEGMENTS too.",
    )
    evidence: str = strawberry.field(default="", description="Why: at most 400 characters.")
    expires_at: datetime | None = strawberry.field(
        default=None, description="Business clock; left out: the tag's own term."
    )


@strawberry.type
class TagMutations:
    @strawberry.mutation(description="Put a tag into the catalogue.")
    async def create_tag(self, info: Info, input: CreateTagInput, idempotency_key: IdempotencyKey) -> CreateTagResult:
        actor = info.context.actor
        given = NewTag(
            input.key, input.family, input.label_en, input.label_zh, input.description, input.valid_days,
            decode_id("Staff", input.owner_id) if input.owner_id is not None else None,
        )  # fmt: skip
        return await granted(
            info, idempotency_key, input, (tag_catalogue.TagCreated, tag_catalogue.TagExists),
            lambda: tag_catalogue.create_tag(actor, given),
            lambda made: TagCreated(tag=project(info, "CatalogueTag", made.tag_id)),
        )  # fmt: skip

    @strawberry.mutation(description="Take a tag out of the catalogue and off everybody who carries it.")
    async def retire_tag(self, info: Info, key: str, idempotency_key: IdempotencyKey) -> RetireTagResult:
        actor = info.context.actor
        return await granted(
            info, idempotency_key, key, (tag_catalogue.TagRetired, tag_catalogue.TagNotFound),
            lambda: tag_catalogue.retire_tag(actor, key),
            lambda gone: TagRetired(tag=project(info, "CatalogueTag", gone.tag_id), removed=gone.removed),
        )  # fmt: skip

    @strawberry.mutation(description="Set a tag on many members at once, in one transaction.")
    async def tag_members(
        self, info: Info, input: TagMembersInput, idempotency_key: IdempotencyKey
    ) -> TagMembersResult:
        verb = await _tagging(info, input)
        return await granted(
            info, idempotency_key, input, (tags.MembersTagged, tags.TagNotFound, segments.SegmentNotFound), verb,
            lambda made: MembersTagged(chosen=made.chosen, tagged=made.tagged),
        )  # fmt: skip


async def _tagging(info: Info, given: TagMembersInput) -> Callable[[], Awaitable[Any]]:
    """The verb for whom the input names: the members of a segment, or those whom a condition finds."""
    actor, said = info.context.actor, (given.key, given.evidence, given.expires_at)
    named = [one for one in (given.member_ids, given.search, given.segment_id) if one is not None]
    if len(named) == 1 and given.segment_id is not None:
        segment = decode_id("Segment", given.segment_id)
        return lambda: tag_segment(actor, segment, *said)
    chosen = await _chosen(info, given) if len(named) == 1 else None
    return lambda: tags.tag_members(actor, chosen, *said)


async def _chosen(info: Info, given: TagMembersInput) -> Callable[[Parameters], str]:
    """The condition on `members m` for those whom the input names by ids or a search."""
    if given.member_ids is not None:
        ids = [decode_id("Member", one) for one in at_most(MOST_IDS, "memberIds", given.member_ids)]
        return lambda parameters: f"m.id = ANY({parameters(ids)}::uuid[])"
    search = given.search
    assert search is not None
    if search.stage is not None:
        await info.context.learn_business_day()

    def found(parameters: Parameters) -> str:
        return " AND ".join(find_members(asked(info.context, parameters, "s"), "m", search)) or "TRUE"

    return found


@translates(tag_catalogue.TagExists)
def _tag_exists(failure: tag_catalogue.TagExists) -> TagExists:
    return TagExists(message="The catalogue has another tag of this key. Choose another key.", key=failure.key)
