"""Segments are made, changed and put away."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.payloads import project
from api.schema.failures import Failure, IdempotencyConflict, InProgress, ValidationError, VersionConflict
from api.schema.mutations import IdempotencyKey, granted, translates
from domain.platform import failures
from domain.segments import segments

if TYPE_CHECKING:
    from api.schema.segments.segments import Segment

Shown = Annotated["Segment", strawberry.lazy("api.schema.segments.segments")]


@strawberry.type(description="The segment is kept; its members are worked out within seconds.")
class SegmentSaved:
    segment: Shown | None = strawberry.field(description="As it is now.")


@strawberry.type(description="Nobody is in the segment any more, and its name is free.")
class SegmentArchived:
    segment: Shown | None = strawberry.field(description="With the moment since when.")


@strawberry.type(description="No live segment has this id, or its rule asks what the caller may not read.")
class SegmentNotFound(Failure):
    pass


@strawberry.type(description="A live segment has this name.")
class SegmentNameTaken(Failure):
    pass


@strawberry.type(description="Other segments name it in their rules: change those first.")
class SegmentInUse(Failure):
    names: list[str] = strawberry.field(description="The names of those segments.")


CreateSegmentResult = Annotated[
    SegmentSaved | SegmentNameTaken | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("CreateSegmentResult"),
]
UpdateSegmentResult = Annotated[
    SegmentSaved
    | SegmentNotFound
    | SegmentNameTaken
    | VersionConflict
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("UpdateSegmentResult"),
]
ArchiveSegmentResult = Annotated[
    SegmentArchived | SegmentNotFound | SegmentInUse | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("ArchiveSegmentResult"),
]


@strawberry.input(description="A new segment.")
class CreateSegmentInput:
    name: str = strawberry.field(description="1 to 100 characters; of one live segment at a time.")
    description: str = strawberry.field(default="", description="What it is for: at most 400 characters.")
    rule: str = strawberry.field(description="The tree as JSON text: see `segmentFields` for what it may ask.")


@strawberry.input(description="What to change; what is left out stays.")
class UpdateSegmentInput:
    segment_id: strawberry.ID = strawberry.field(description="Which segment.")
    version: int = strawberry.field(description="The version that the caller saw.")
    name: str | None = strawberry.field(default=None, description="Another name.")
    description: str | None = strawberry.field(default=None, description="Another description.")
    rule: str | None = strawberry.field(default=None, description="Another tree, as JSON text.")


@strawberry.input(description="Which segment is put away.")
class ArchiveSegmentInput:
    segment_id: strawberry.ID = strawberry.field(description="Which segment.")


@strawberry.type
class SegmentMutations:
    @strawberry.mutation(description="Name a rule over members. Of a rule that cannot be right, every flaw is said.")
    async def create_segment(
        self, info: Info, input: CreateSegmentInput, idempotency_key: IdempotencyKey
    ) -> CreateSegmentResult:
        actor = info.context.actor
        return await granted(
            info, idempotency_key, input, (segments.SegmentSaved, segments.SegmentNameTaken),
            lambda: segments.create(actor, input.name, input.description, input.rule),
            lambda saved: SegmentSaved(segment=project(info, "Segment", saved.segment_id)),
        )  # fmt: skip

    @strawberry.mutation(description="Change a segment's name, description or rule, if nobody else did first.")
    async def update_segment(
        self, info: Info, input: UpdateSegmentInput, idempotency_key: IdempotencyKey
    ) -> UpdateSegmentResult:
        actor, segment = info.context.actor, decode_id("Segment", input.segment_id)
        changes = segments.SegmentChanges(input.name, input.description, input.rule)
        return await granted(
            info, idempotency_key, input,
            (segments.SegmentSaved, segments.SegmentNotFound, segments.SegmentNameTaken, failures.VersionConflict),
            lambda: segments.update(actor, segment, input.version, changes),
            lambda saved: SegmentSaved(segment=project(info, "Segment", saved.segment_id)),
        )  # fmt: skip

    @strawberry.mutation(description="Put a segment away for good; its rule stays readable.")
    async def archive_segment(
        self, info: Info, input: ArchiveSegmentInput, idempotency_key: IdempotencyKey
    ) -> ArchiveSegmentResult:
        actor, segment = info.context.actor, decode_id("Segment", input.segment_id)
        return await granted(
            info, idempotency_key, input,
            (segments.SegmentArchived, segments.SegmentNotFound, segments.SegmentInUse),
            lambda: segments.archive(actor, segment),
            lambda done: SegmentArchived(segment=project(info, "Segment", done.segment_id)),
        )  # fmt: skip


@translates(segments.SegmentNotFound)
def _segment_not_found(_: segments.SegmentNotFound) -> SegmentNotFound:
    return SegmentNotFound(message="No such segment.")


@translates(segments.SegmentNameTaken)
def _segment_name_taken(_: segments.SegmentNameTaken) -> SegmentNameTaken:
    return SegmentNameTaken(message="A segment has this name already.")


@translates(segments.SegmentInUse)
def _segment_in_use(failure: segments.SegmentInUse) -> SegmentInUse:
    return SegmentInUse(message="Other segments use it.", names=list(failure.names))
