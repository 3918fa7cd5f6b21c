"""Failures about people. Someone out of the actor's scope and someone who does not exist answer alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemberNotFound:
    """No such member, or none that the actor may see."""


@dataclass(frozen=True, slots=True)
class BabyNotFound:
    """No such baby, or none in a household that the actor may see."""
