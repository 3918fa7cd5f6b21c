"""Idempotency: whatever is repeated, raced or killed, the wish is granted once and answered the same."""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from domain.database import connection
from domain.people.members import Member, MemberChanges, MemberUpdated, update
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.failures import FieldError, ValidationError, VersionConflict
from domain.platform.idempotency import IdempotencyConflict, IdempotencyKey, InProgress, forget_keys, once, request_hash
from domain.platform.ids import new_id
from domain.platform.sources import Purpose
from tests import factories as make

ANSWERS = (MemberUpdated, VersionConflict, ValidationError)


async def rename(actor: Actor, member: Member, name: str, key: str) -> object:
    body = {"member": member.id, "name": name}
    return await once(
        actor, key, "updateMember", body, ANSWERS, lambda: update(actor, member.id, 1, MemberChanges(full_name=name))
    )


async def test_the_same_wish_is_granted_once_and_answered_the_same(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    first = await rename(actor, member, "Ada", "k")
    assert first == MemberUpdated(member.id, 2)
    assert await rename(actor, member, "Ada", "k") == first
    assert (await Member.get(id=member.id)).version == 2
    assert await rename(actor, member, "Eve", "k") == IdempotencyConflict("k")
    conflict = await rename(actor, member, "Eve", "other")
    assert conflict == VersionConflict(2) == await rename(actor, member, "Eve", "other")
    assert await rename(await make.make_actor(), member, "Ada", "k") == VersionConflict(2)
    assert isinstance(await rename(actor, member, "Ada", ""), ValidationError)


async def test_fifty_at_once_change_the_row_once(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    answers = await asyncio.gather(*(rename(actor, member, "Ada", "k") for _ in range(50)))
    assert set(answers) <= {MemberUpdated(member.id, 2), InProgress("k")}
    assert MemberUpdated(member.id, 2) in answers
    assert (await Member.get(id=member.id)).version == 2
    assert await rename(actor, member, "Ada", "k") == MemberUpdated(member.id, 2)


async def test_a_request_in_flight_is_said_to_be(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    started, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> MemberUpdated:
        started.set()
        await finish.wait()
        return MemberUpdated(member.id, 7)

    working = asyncio.create_task(once(actor, "k", "slow", None, ANSWERS, slow))
    await started.wait()
    assert await once(actor, "k", "slow", None, ANSWERS, slow) == InProgress("k")
    finish.set()
    assert await working == await once(actor, "k", "slow", None, ANSWERS, slow) == MemberUpdated(member.id, 7)


async def test_a_crash_after_the_effect_leaves_neither_effect_nor_key(db: str) -> None:
    """The connection dies when the verb has written and before the commit; the retry does everything, once."""
    actor, member = await make.make_actor(), await make.make_member()
    killer = await asyncpg.connect(db)

    async def die_after_writing() -> MemberUpdated | VersionConflict:
        answer = await update(actor, member.id, 1, MemberChanges(full_name="Ada"))
        assert answer == MemberUpdated(member.id, 2)
        pid = (await connection().execute_query_dict("SELECT pg_backend_pid() AS pid"))[0]["pid"]
        await killer.execute("SELECT pg_terminate_backend($1)", pid)
        await connection().execute_query("SELECT 1")
        raise AssertionError("the connection outlived its server")

    body = {"member": member.id, "name": "Ada"}
    with pytest.raises(Exception, match=r"terminat|closed"):
        await once(actor, "k", "updateMember", body, ANSWERS, die_after_writing)
    await killer.close()
    assert (await Member.get(id=member.id)).version == 1
    assert await rename(actor, member, "Ada", "k") == MemberUpdated(member.id, 2)
    assert await rename(actor, member, "Ada", "k") == MemberUpdated(member.id, 2)


async def test_a_verb_that_raises_may_be_tried_again(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()

    async def fail() -> MemberUpdated:
        await update(actor, member.id, 1, MemberChanges(full_name="Ada"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await once(actor, "k", "updateMember", {"member": member.id, "name": "Ada"}, ANSWERS, fail)
    assert (await Member.get(id=member.id)).version == 1
    assert await rename(actor, member, "Ada", "k") == MemberUpdated(member.id, 2)


@dataclass(frozen=True, slots=True)
class Everything:
    """Each kind of value that a verb's answer may hold."""

    id: UUID
    at: datetime
    purpose: Purpose
    nothing: UUID | None
    number: float
    errors: tuple[FieldError, ...]


async def test_every_kind_of_value_comes_back_as_it_was(db: str) -> None:
    actor = await make.make_actor()
    answer = Everything(
        new_id(), datetime(2017, 12, 15, 10, 0, 0, 123456, UTC), Purpose.CARE, None, 0.1, (FieldError("a", "b"),)
    )

    async def verb() -> Everything:
        return answer

    async def never() -> Everything:
        raise AssertionError

    assert await once(actor, "k", "all", {"x": 1, "y": 2}, (Everything,), verb) == answer
    again = await once(actor, "k", "all", {"y": 2, "x": 1}, (Everything,), never)
    assert again == answer
    assert isinstance(again, Everything)
    assert isinstance(again.purpose, Purpose)
    assert request_hash("a", {"x": 1}) != request_hash("b", {"x": 1})


async def test_old_keys_are_forgotten_and_young_ones_kept(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    await rename(actor, member, "Ada", "k")
    assert await forget_keys() == 0
    await IdempotencyKey.all().update(created_at=real_now() - timedelta(days=3))
    assert await forget_keys() == 1


@pytest.mark.parametrize("seed", range(3))
async def test_any_mix_of_keys_and_bodies_does_each_wish_once(db: str, seed: int) -> None:
    """Against a model: a key's first body is granted, the same again repeats its answer, any other is a conflict."""
    actor, dice = await make.make_actor(), random.Random(seed)
    granted: dict[str, tuple[str, object]] = {}
    done: list[str] = []

    async def wish(key: str, body: str) -> object:
        async def verb() -> MemberUpdated:
            await asyncio.sleep(dice.random() / 500)
            done.append(key)
            return MemberUpdated(new_id(), len(body))

        return await once(actor, key, "wish", body, ANSWERS, verb)

    for _ in range(25):
        keys = [dice.choice("abcdefgh") for _ in range(4)]
        bodies = [dice.choice(["x", "yy", "zzz"]) for _ in keys]
        answers = await asyncio.gather(*(wish(key, body) for key, body in zip(keys, bodies, strict=True)))
        for key, body, answer in zip(keys, bodies, answers, strict=True):
            if isinstance(answer, MemberUpdated):
                assert granted.setdefault(key, (body, answer)) == (body, answer)
            elif isinstance(answer, IdempotencyConflict):
                first = granted.get(key) or next(
                    (b, a)
                    for k, b, a in zip(keys, bodies, answers, strict=True)
                    if k == key and isinstance(a, MemberUpdated)
                )
                assert first[0] != body
            else:
                assert answer == InProgress(key)
    assert sorted(done) == sorted(granted)
