"""What documents are put together of: what stands under which response key, and fragments that may stand again."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    variables: dict[str, Any]
    language: str


@dataclass(slots=True)
class Scope:
    """What stands under the response keys of one place: (field and arguments, type, what stands below)."""

    keys: dict[str, tuple[str, str, "Scope"]] = field(default_factory=dict)

    def fits(self, other: "Scope") -> bool:
        """Whether both can stand at the same place."""
        for key, (call, shape, below) in other.keys.items():
            mine = self.keys.get(key)
            if mine is not None and (mine[:2] != (call, shape) or not mine[2].fits(below)):
                return False
        return True

    def take(self, other: "Scope") -> None:
        for key, (call, shape, below) in other.keys.items():
            self.keys.setdefault(key, (call, shape, Scope()))[2].take(below)


@dataclass(slots=True)
class Fragment:
    name: str
    text: str
    scope: Scope
    rows: int
    depth: int
