"""Provenance: who says a fact, through which system, and whose word stands when two differ."""

from domain.platform.actors import Actor
from domain.platform.roles import Role
from domain.platform.sources import Source

TRUST = {source: rank for rank, source in enumerate(reversed(Source))}  # Source lists the most trusted first

CONFIDENCE = {Source.MEMBER: 1.0, Source.STAFF: 0.9, Source.IMPORT: 0.8}

SYSTEMS = {
    Role.CONSULTANT: "desk", Role.OPERATOR: "desk", Role.ADVISOR: "store", Role.STORE_MANAGER: "store",
    Role.FRONTEND: "frontend", Role.MEMBER: "frontend",
}  # fmt: skip


def said_by(actor: Actor) -> Source:
    """A member speaks for herself, also through a frontend; staff speak as staff."""
    return Source.STAFF if actor.is_staff else Source.MEMBER


def system_of(actor: Actor) -> str:
    """The system that a row made by this actor came from."""
    return SYSTEMS.get(actor.role, "desk")


def may_overwrite(new: Source, standing: Source | None) -> bool:
    """A stronger source is never overwritten by a weaker one; of equals the later word stands."""
    return standing is None or TRUST[new] >= TRUST[standing]
