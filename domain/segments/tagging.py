"""Tagging by a segment: whoever is in it now, by what is kept of it, carries the tag."""

from datetime import datetime
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.tag_catalogue import TagNotFound
from domain.people.tags import MembersTagged, tag_members
from domain.platform.actors import Actor
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission
from domain.segments.segments import SegmentNotFound

_FOUND = """
SELECT is_stale FROM segments WHERE id = $1 AND archived_at IS NULL AND needs <@ $2::text[]
"""


async def tag_segment(
    actor: Actor, segment_id: UUID, key: str, evidence: str = "", expires_at: datetime | None = None
) -> MembersTagged | SegmentNotFound | TagNotFound | NotPermitted | ValidationError:
    """Set a tag on whoever of the actor's scope is in the segment; as `tag_members`, idempotent and audited.

    Its rule is not asked anew: who is in it is what `Segment.members` shows. One whose rule is new has to be worked out
    first, else the tag would go to those whom the old rule meant.
    """
    if not actor.may(Permission.MANAGE_TAGS):
        return NotPermitted(Permission.MANAGE_TAGS)
    if not actor.may(Permission.READ_SEGMENTS):
        return NotPermitted(Permission.READ_SEGMENTS)
    async with in_transaction():
        may = sorted(one.value for one in actor.permissions)
        found = await connection().execute_query_dict(_FOUND, [segment_id, may])
        if not found:
            return SegmentNotFound()
        if found[0]["is_stale"]:
            return ValidationError.of(
                "segmentId",
                "Its rule is new and is being worked out: try again when it is no longer stale.",
                "该人群的规则刚更新，正在计算：请待计算完成后重试。",
            )

        def is_in(parameters: Parameters) -> str:
            named = parameters(segment_id)
            return f"m.id IN (SELECT sm.member_id FROM segment_members sm WHERE sm.segment_id = {named}::uuid)"

        return await tag_members(actor, is_in, key, evidence, expires_at, segment_id=segment_id)
