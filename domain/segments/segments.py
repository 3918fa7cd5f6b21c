"""Segments: named rules, and who is in them now."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.actors import Actor
from domain.platform.clock import business_now
from domain.platform.failures import FieldError, NotPermitted, ValidationError, VersionConflict
from domain.platform.ids import new_id
from domain.platform.roles import Permission
from domain.segments.compiling import MOST_INLINED, reaches, weight
from domain.segments.rules import Group, leaves, needs, parse, read, segments_in


class Segment(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    name = fields.CharField(max_length=100)
    description = fields.CharField(max_length=400, default="", db_default="")
    rule: fields.JSONField[dict[str, Any]] = fields.JSONField()  # a tree as react-querybuilder writes it
    needs = ArrayField(element_type="text", default=list)  # permissions without which nobody reads who is in it
    place = fields.IntField(null=True)  # its bit in member_facts.segment_bits; null: archived, the place is free
    member_count = fields.IntField(default=0, db_default=0)
    is_stale = fields.BooleanField(default=True, db_default=True)  # its rule was changed: everybody is to be asked anew
    refreshed_at = fields.DatetimeField(null=True)  # business clock
    version = fields.IntField(default=1, db_default=1)
    created_by = fields.UUIDField(null=True)  # account
    created_at = fields.DatetimeField()  # business clock
    archived_at = fields.DatetimeField(null=True)  # business clock

    class Meta:
        table = "segments"
        constraints = [
            CheckConstraint(name="segments_place_is_counted", check="place >= 0"),
            CheckConstraint(name="segments_archived_have_no_place", check="(place IS NULL) <> (archived_at IS NULL)"),
            CheckConstraint(name="segments_have_a_name", check="name <> ''"),
        ]


class SegmentMember(Model):
    """Who is in a segment now. Derived, by set: a row's key is (segment, member), and its one index is on that.

    Without an index on members alone, which every row of a refresh would pay for: hers are looked up by segment.
    """

    id = fields.BigIntField(primary_key=True, generated=True)
    segment: fields.ForeignKeyRelation["Segment"] = fields.ForeignKeyField(
        "nestling.Segment", related_name="members", db_constraint=False
    )
    segment_id: UUID
    member_id = fields.UUIDField()
    since = fields.DatetimeField()  # business clock

    class Meta:
        table = "segment_members"
        unique_together = (("segment", "member_id"),)


WORD = 60
"""Places in one number of `member_facts.segment_bits`."""
LOCK = 0x6E65_7374_7365  # "nestse": one that writes rules or memberships at a time
NAME_LENGTH, DESCRIPTION_LENGTH = 100, 400
LIVE = "SELECT id, name, rule, needs, place, is_stale, version FROM segments WHERE archived_at IS NULL ORDER BY place"


@dataclass(frozen=True, slots=True)
class SegmentSaved:
    segment_id: UUID
    version: int


@dataclass(frozen=True, slots=True)
class SegmentArchived:
    segment_id: UUID


@dataclass(frozen=True, slots=True)
class SegmentNotFound:
    """No live segment has this id, or its rule asks what the actor may not read."""


@dataclass(frozen=True, slots=True)
class SegmentNameTaken:
    """A live segment has this name."""


@dataclass(frozen=True, slots=True)
class SegmentInUse:
    """Other segments name it in their rules."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """A segment that is not archived, with its rule read."""

    id: UUID
    name: str
    tree: Group
    needs: frozenset[Permission]
    place: int
    is_stale: bool
    version: int

    def may_be_read_by(self, actor: Actor) -> bool:
        return self.needs <= actor.permissions


@dataclass(frozen=True, slots=True)
class SegmentChanges:
    """What an update writes; None leaves it as it is."""

    name: str | None = None
    description: str | None = None
    rule: str | None = None  # JSON text


async def live_segments() -> list[Live]:
    """All that are not archived, by place. A rule that is no longer valid (a field was taken away) is left out."""
    rows = await connection().execute_query_dict(LIVE)
    found = []
    for row in rows:
        tree = read(orjson.loads(row["rule"]) if isinstance(row["rule"], str) else row["rule"])
        if isinstance(tree, Group):
            needed = frozenset(Permission(one) for one in row["needs"])
            found.append(Live(row["id"], row["name"], tree, needed, row["place"], row["is_stale"], row["version"]))
    return found


async def admit(
    actor: Actor, rule: str, itself: UUID | None = None
) -> tuple[Group, frozenset[Permission]] | ValidationError:
    """The rule's tree and what it needs, if the actor may ask all of it; else every flaw with its path.

    A segment that does not exist and one whose rule asks what the actor may not read answer alike.
    """
    tree = parse(rule)
    if isinstance(tree, ValidationError):
        return tree
    live = {one.id: one for one in await live_segments()}
    trees = {one.id: one.tree for one in live.values()}
    flaws = []
    for leaf in leaves(tree):
        if not actor.may(leaf.field.permission):
            flaws.append(FieldError(f"{leaf.path}.field", f"{leaf.field.key} is not for your role."))
        if leaf.field.special != "segment":
            continue
        for place, named in enumerate(leaf.values):
            path = f"{leaf.path}.value[{place}]"
            if named not in live or not live[named].may_be_read_by(actor):
                flaws.append(FieldError(path, "No such segment."))
            elif itself is not None and (named == itself or itself in reaches(trees[named], trees)):
                flaws.append(FieldError(path, "The segment would depend on itself."))
    if not flaws and weight(tree, trees) > MOST_INLINED:
        flaws.append(FieldError("rule", f"At most {MOST_INLINED} conditions, with those of the segments it names."))
    if flaws:
        return ValidationError(tuple(flaws))
    asked = needs(tree).union(*(needs(trees[one]) for one in reaches(tree, trees)))
    return tree, frozenset(asked)


async def create(
    actor: Actor, name: str, description: str, rule: str
) -> SegmentSaved | SegmentNameTaken | NotPermitted | ValidationError:
    """Name a rule. Its members are worked out within seconds, by the worker."""
    if not actor.may(Permission.WRITE_SEGMENTS):
        return NotPermitted(Permission.WRITE_SEGMENTS)
    changes = SegmentChanges(name.strip(), description.strip(), rule)
    async with in_transaction():
        await lock()
        checked = await _checked(actor, changes, None)
        if isinstance(checked, ValidationError):
            return checked
        if await _is_taken(changes.name, None):
            return SegmentNameTaken()
        segment_id = new_id()
        await connection().execute_query(
            "INSERT INTO segments (id, name, description, rule, needs, place, created_by, created_at) "
            "SELECT $1, $2, $3, $4::jsonb, $5::text[], min(n), $6, $7 "
            "FROM generate_series(0, (SELECT count(*) FROM segments WHERE place IS NOT NULL)) n "
            "WHERE n NOT IN (SELECT place FROM segments WHERE place IS NOT NULL)",
            [
                segment_id, changes.name, changes.description, rule, sorted(checked), actor.account_id,
                await business_now(),
            ],
        )  # fmt: skip
        return SegmentSaved(segment_id, 1)


async def update(
    actor: Actor, segment_id: UUID, version: int, changes: SegmentChanges
) -> SegmentSaved | SegmentNotFound | SegmentNameTaken | VersionConflict | NotPermitted | ValidationError:
    """Write what is given if the segment is still at `version`. A new rule is worked out for everybody, soon."""
    if not actor.may(Permission.WRITE_SEGMENTS):
        return NotPermitted(Permission.WRITE_SEGMENTS)
    async with in_transaction():
        await lock()
        found = await _named(actor, segment_id)
        if found is None:
            return SegmentNotFound()
        if found.version != version:
            return VersionConflict(found.version)
        checked = await _checked(actor, changes, segment_id)
        if isinstance(checked, ValidationError):
            return checked
        if changes.name is not None and await _is_taken(changes.name.strip(), segment_id):
            return SegmentNameTaken()
        is_new_rule = changes.rule is not None
        await connection().execute_query(
            "UPDATE segments SET name = coalesce($2, name), description = coalesce($3, description), "
            "rule = coalesce($4::jsonb, rule), needs = CASE WHEN $6::bool THEN $5::text[] ELSE needs END, "
            "is_stale = is_stale OR $6::bool, version = version + 1 WHERE id = $1",
            [
                segment_id, changes.name and changes.name.strip(),
                None if changes.description is None else changes.description.strip(), changes.rule, sorted(checked),
                is_new_rule,
            ],
        )  # fmt: skip
        if is_new_rule:
            await _pass_on(segment_id)
        return SegmentSaved(segment_id, version + 1)


async def archive(actor: Actor, segment_id: UUID) -> SegmentArchived | SegmentNotFound | SegmentInUse | NotPermitted:
    """Put the segment away for good: nobody is in it any more, its rule stays readable. Idempotent by its key only."""
    if not actor.may(Permission.WRITE_SEGMENTS):
        return NotPermitted(Permission.WRITE_SEGMENTS)
    async with in_transaction():
        await lock()
        found = await _named(actor, segment_id)
        if found is None:
            return SegmentNotFound()
        users = [one.name for one in await live_segments() if segment_id in segments_in(one.tree)]
        if users:
            return SegmentInUse(tuple(users))
        word, mask = place_of(found.place)
        await connection().execute_query(
            f"UPDATE member_facts f SET segment_bits[{word}] = f.segment_bits[{word}] & ~{mask}::bigint "
            "FROM segment_members sm WHERE sm.segment_id = $1 AND sm.member_id = f.member_id",
            [segment_id],
        )
        await connection().execute_query("DELETE FROM segment_members WHERE segment_id = $1", [segment_id])
        await connection().execute_query(
            "UPDATE segments SET archived_at = $2, place = NULL, member_count = 0, version = version + 1 WHERE id = $1",
            [segment_id, await business_now()],
        )
        return SegmentArchived(segment_id)


def place_of(place: int) -> tuple[int, int]:
    """Which number of `segment_bits` (from 1) and which bit of it."""
    return place // WORD + 1, 1 << place % WORD


async def lock(*, wait: bool = True) -> bool:
    """Until the transaction ends nobody else writes rules or memberships; False: somebody does, and we do not wait."""
    if wait:
        await connection().execute_query("SELECT pg_advisory_xact_lock($1)", [LOCK])
        return True
    rows = await connection().execute_query_dict("SELECT pg_try_advisory_xact_lock($1) AS got", [LOCK])
    return bool(rows[0]["got"])


async def _named(actor: Actor, segment_id: UUID) -> Live | None:
    for one in await live_segments():
        if one.id == segment_id and one.may_be_read_by(actor):
            return one
    return None


async def _checked(actor: Actor, changes: SegmentChanges, itself: UUID | None) -> frozenset[str] | ValidationError:
    """What the rule needs; nothing when no rule is given."""
    flaws: list[FieldError] = []
    if changes == SegmentChanges():
        flaws.append(FieldError("input", "Nothing to change."))
    if changes.name is not None and not 0 < len(changes.name.strip()) <= NAME_LENGTH:
        flaws.append(FieldError("name", f"1 to {NAME_LENGTH} characters."))
    if changes.description is not None and len(changes.description) > DESCRIPTION_LENGTH:
        flaws.append(FieldError("description", f"At most {DESCRIPTION_LENGTH} characters."))
    needed = frozenset[str]()
    if changes.rule is not None:
        admitted = await admit(actor, changes.rule, itself)
        if isinstance(admitted, ValidationError):
            flaws += admitted.errors
        else:
            needed = frozenset(one.value for one in admitted[1])
    return ValidationError(tuple(flaws)) if flaws else needed


async def _is_taken(name: str | None, by_other_than: UUID | None) -> bool:
    rows = await connection().execute_query_dict(
        "SELECT 1 FROM segments WHERE name = $1 AND archived_at IS NULL AND id IS DISTINCT FROM $2",
        [name, by_other_than],
    )
    return bool(rows)


async def _pass_on(segment_id: UUID) -> None:
    """What depends on the segment is worked out anew with it, and needs what it needs now."""
    live = {one.id: one for one in await live_segments()}
    trees = {one.id: one.tree for one in live.values()}
    for one in live.values():
        if segment_id in reaches(one.tree, trees):
            asked = needs(one.tree).union(*(needs(trees[named]) for named in reaches(one.tree, trees)))
            await connection().execute_query(
                "UPDATE segments SET is_stale = true, needs = $2::text[] WHERE id = $1",
                [one.id, sorted(needed.value for needed in asked)],
            )
