"""Plans: the statements that a process has made of operations, for everybody of the same rights."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.projection.finishing import Shape
from api.projection.selections import Operation
from api.projection.statements import Holes, Slots, Statement

MOST_PLANNED = 8_000_000  # characters of the statements that a process remembers


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement for the root fields `keys`, and what is left to do on each."""

    statement: Statement
    keys: Mapping[str, int]
    shapes: Sequence[Shape]
    is_done: Sequence[bool]
    is_checked: Sequence[bool]


NO_PLAN = Plan(Statement("", 0, Slots(), Holes(), noted=frozenset()), {}, (), (), ())


PlanKey = tuple[Operation, *tuple[object, ...]]


class Plans:
    """The plans of a process, least recently used first; bounded by the length of their statements.

    A plan lives no longer than the document that it was made for: it holds the document's tree.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[PlanKey, Plan] = OrderedDict()
        self._of: dict[Operation, set[PlanKey]] = {}
        self._characters = 0

    def get(self, key: PlanKey) -> Plan | None:
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def keep(self, key: PlanKey, plan: Plan) -> None:
        self._known[key] = plan
        self._of.setdefault(key[0], set()).add(key)
        self._characters += len(plan.statement.sql)
        while self._characters > MOST_PLANNED:
            self._drop(next(iter(self._known)))

    def forget(self, operation: Operation) -> None:
        """Drop the plans of an operation whose document is no longer remembered."""
        for key in tuple(self._of.get(operation, ())):
            self._drop(key)

    def _drop(self, key: PlanKey) -> None:
        self._characters -= len(self._known.pop(key).statement.sql)
        self._of[key[0]].discard(key)
        if not self._of[key[0]]:
            del self._of[key[0]]


PLANS = Plans()
