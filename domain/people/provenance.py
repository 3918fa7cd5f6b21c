"""Provenance: who says a fact, through which system, and whose word stands when two differ.

What a row began with is told by its own columns: the system that it came from, when, and who enrolled her. Each change
since then leaves its author beside the row, by column.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.platform.actors import Actor
from domain.platform.parameters import Parameters
from domain.platform.roles import Role
from domain.platform.sources import Source

TRUST = {source: rank for rank, source in enumerate(reversed(Source))}  # Source lists the most trusted first

UNSURE = 0.5  # of sources that say no confidence of their own
CONFIDENCE = {Source.MEMBER: 1.0, Source.STAFF: 0.9, Source.IMPORT: 0.8, Source.SYNTHETIC: UNSURE}

MEMBER_FIELDS = ("full_name", "carer_role", "language", "jurisdiction", "time_zone")
BABY_FIELDS = (
    "nickname", "sex", "due_on", "born_on", "gestation_weeks", "feeding", "formula_brand", "allergies",
)  # fmt: skip
NOT_SAID = (None, "", "UNKNOWN")

SYSTEMS = {
    Role.CONSULTANT: "desk", Role.OPERATOR: "desk", Role.ADVISOR: "store", Role.STORE_MANAGER: "store",
    Role.FRONTEND: "frontend", Role.MEMBER: "frontend",
}  # fmt: skip


def said_by(actor: Actor) -> Source:
    """A member speaks for herself, also through a frontend; staff speak as staff. What is made up says so."""
    if actor.makes_up:
        return Source.SYNTHETIC
    return Source.STAFF if actor.is_staff else Source.MEMBER


def system_of(actor: Actor) -> str:
    """The system that a row made by this actor came from."""
    return SYSTEMS.get(actor.role, "desk")


def may_overwrite(new: Source, standing: Source | None) -> bool:
    """A stronger source is never overwritten by a weaker one; of equals the later word stands."""
    return standing is None or TRUST[new] >= TRUST[standing]


@dataclass(frozen=True, slots=True)
class Told:
    """Who said the value of a column, how sure that is, when it was written (real clock) and by whose hand."""

    column: str
    source: Source
    confidence: float
    at: str | datetime  # ISO 8601 where it is read as JSON
    by: UUID | None  # staff; none: a system, or the member herself


def telling(columns: Iterable[str], source: Source, actor: Actor, parameters: Parameters) -> str:
    """The assignment, in an UPDATE of a row, that notes who says these columns now."""
    return (
        "provenance = coalesce(provenance, '{}') || (SELECT coalesce(jsonb_object_agg(c, jsonb_build_object("
        f"'source', {parameters(source.value)}::text, 'confidence', {parameters(CONFIDENCE[source])}::float8, "
        f"'by', {parameters(actor.staff_id)}::uuid, 'at', clock_timestamp())), '{{}}') "
        f"FROM unnest({parameters(sorted(columns))}::text[]) c)"
    )


def of_member(row: Mapping[str, Any]) -> list[Told]:
    """Of each profile column that says something. Needs the columns, provenance, name_source, source, created_at and
    joined_by_id. Pure.
    """
    began = {"desk": Source.STAFF, "store": Source.STAFF, "frontend": Source.MEMBER}.get(row["source"], Source.IMPORT)

    def first(column: str) -> tuple[Source, float | None]:
        return (Source(row["name_source"]) if column == "full_name" and row["name_source"] else began), None

    return _told(row, MEMBER_FIELDS, first, row["joined_by_id"])


def of_baby(row: Mapping[str, Any]) -> list[Told]:
    """Of each column about a baby that says something, its dates by their own sources. Pure."""

    def first(column: str) -> tuple[Source, float | None]:
        kind = column.removesuffix("_on") if column in ("due_on", "born_on") else "presence"
        return Source(row[f"{kind}_source"]), row[f"{kind}_confidence"]

    return _told(row, BABY_FIELDS, first, None)


def _told(
    row: Mapping[str, Any],
    columns: Iterable[str],
    first: Callable[[str], tuple[Source, float | None]],
    by: UUID | str | None,
) -> list[Told]:
    since = row["provenance"] or {}
    found = []
    for column in columns:
        if row[column] in NOT_SAID:
            continue
        changed = since.get(column)
        source, confidence = (Source(changed["source"]), changed["confidence"]) if changed else first(column)
        hand = changed["by"] if changed else by
        sure = confidence if confidence is not None else CONFIDENCE.get(source, UNSURE)
        at = changed["at"] if changed else row["created_at"]
        found.append(Told(column, source, sure, at, UUID(str(hand)) if hand else None))
    return found
