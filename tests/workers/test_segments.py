"""The worker keeps segments up by itself; several at once, or one that is cut short, come to the same members."""

import asyncio
import json
import random
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest

from domain.database import connection
from domain.platform.clock import set_business_clock
from domain.platform.roles import Role
from domain.segments import segments
from domain.segments.facts import rebuild
from domain.segments.memberships import keep_up, refresh
from domain.segments.segments import SegmentSaved
from tests.factories import NOON, make_actor, make_member, make_order
from workers.doorbell import Doorbell
from workers.segments import keep_segments

pytestmark = pytest.mark.usefixtures("db")
BOUGHT = json.dumps({"combinator": "and", "rules": [{"field": "orders.count", "operator": ">=", "value": 1}]})


async def _members(segment_id: UUID) -> set[UUID]:
    rows = await connection().execute_query_dict(
        "SELECT member_id FROM segment_members WHERE segment_id = $1", [segment_id]
    )
    return {row["member_id"] for row in rows}


async def _bought() -> UUID:
    await set_business_clock(NOON)
    made = await segments.create(await make_actor(Role.OPERATOR), "Bought", "", BOUGHT)
    assert isinstance(made, SegmentSaved)
    return made.segment_id


async def test_an_order_brings_its_buyer_into_the_segment_within_seconds() -> None:
    segment, member = await _bought(), await make_member()
    keeping = asyncio.create_task(keep_segments(Doorbell(), 0.05))
    try:
        await make_order(member, NOON - timedelta(hours=1))
        async with asyncio.timeout(10):
            while await _members(segment) != {member.id}:  # noqa: ASYNC110 - another session's rows
                await asyncio.sleep(0.05)
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def test_many_keepers_cut_short_at_any_moment_lose_nothing() -> None:
    segment, members = await _bought(), [await make_member() for _ in range(30)]
    for number, member in enumerate(members):
        await make_order(member, NOON - timedelta(hours=number + 1))
        keepers = [asyncio.create_task(keep_up()) for _ in range(3)]
        await asyncio.sleep(random.uniform(0, 0.01))
        for keeper in keepers:
            keeper.cancel()
        await asyncio.wait(keepers, timeout=5)
    for _ in range(20):
        await keep_up()
    assert await _members(segment) == {member.id for member in members}
    assert (await rebuild(), await refresh()) == (0, 0)
