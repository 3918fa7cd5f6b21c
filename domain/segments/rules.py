"""Rules: trees as react-querybuilder writes them, {combinator, not, rules: [{field, operator, value}]}, read, checked.

Total: whatever the JSON is, it is a tree or a list of flaws, each with the path into the tree, what is wrong and what
would be right. No flaw repeats what was entered.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import field as made
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import orjson

from domain.platform.failures import FieldError, ValidationError
from domain.platform.roles import Permission
from domain.segments.fields import ENUMS, NARROWINGS, Field, catalogue

DEEPEST = 8  # groups within groups
MOST_LEAVES = 64
MOST_VALUES = 100  # of one list
LONGEST_TEXT = 200
LONGEST_RULE = 32_000  # characters
LARGEST = Decimal(10) ** 9
LONGEST_DAYS = 36_500
IGNORED = frozenset({"id", "path", "valueSource"})  # what the editor keeps for itself


@dataclass(frozen=True, slots=True)
class Leaf:
    field: Field
    operator: str
    values: tuple[Any, ...]  # Decimal, date, UUID or str, by the field's type; none for null and notNull
    narrowed: dict[str, Any] = made(default_factory=dict)  # days, category, baby_class, channel, store, kind
    path: str = "rule"


@dataclass(frozen=True, slots=True)
class Group:
    combinator: str  # and, or
    is_negated: bool
    rules: tuple["Leaf | Group", ...]
    path: str = "rule"


def leaves(tree: Leaf | Group) -> Iterator[Leaf]:
    if isinstance(tree, Leaf):
        yield tree
    else:
        for one in tree.rules:
            yield from leaves(one)


def needs(tree: Group) -> set[Permission]:
    """What one must be allowed to read to use the rule, or to read who meets it."""
    return {leaf.field.permission for leaf in leaves(tree)}


def segments_in(tree: Group) -> set[UUID]:
    """The segments that the rule names."""
    return {one for leaf in leaves(tree) if leaf.field.special == "segment" for one in leaf.values}


def parse(text: str) -> Group | ValidationError:
    """The tree of a rule in JSON text."""
    if len(text) > LONGEST_RULE:
        return ValidationError.of("rule", f"At most {LONGEST_RULE} characters of JSON.")
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return ValidationError.of("rule", f"Not JSON, from line {error.lineno}, column {error.colno} on.")
    return read(given)


def read(given: Any) -> Group | ValidationError:
    """The tree of a rule as decoded JSON."""
    reader = _Reader()
    tree = reader.group(given, "rule", 1)
    if reader.count > MOST_LEAVES:
        reader.flaw("rule", f"At most {MOST_LEAVES} conditions.")
    if reader.flaws or tree is None:
        return ValidationError(tuple(reader.flaws[:20]))
    return tree


class _Reader:
    def __init__(self) -> None:
        self.flaws: list[FieldError] = []
        self.count = 0

    def flaw(self, path: str, message: str) -> None:
        self.flaws.append(FieldError(path, message))

    def group(self, given: Any, path: str, depth: int) -> Group | None:
        if not isinstance(given, dict) or "rules" not in given:
            self.flaw(path, 'A group is {"combinator": "and", "rules": [...]}.')
            return None
        self._unknown(given, path, {"combinator", "not", "rules"})
        if depth > DEEPEST:
            self.flaw(path, f"At most {DEEPEST} groups within each other.")
            return None
        combinator, negated, rules = given.get("combinator"), given.get("not", False), given["rules"]
        if combinator not in ("and", "or"):
            self.flaw(f"{path}.combinator", "One of: and, or.")
        if not isinstance(negated, bool):
            self.flaw(f"{path}.not", "true or false.")
        if not isinstance(rules, list) or not rules:
            self.flaw(f"{path}.rules", "A list of at least one condition or group.")
            return None
        if len(rules) > MOST_LEAVES:
            self.flaw(f"{path}.rules", f"At most {MOST_LEAVES} conditions.")
            return None
        found = [self._any(one, f"{path}.rules[{place}]", depth + 1) for place, one in enumerate(rules)]
        return Group(str(combinator), negated is True, tuple(one for one in found if one is not None), path)

    def _any(self, given: Any, path: str, depth: int) -> Leaf | Group | None:
        if isinstance(given, dict) and "rules" in given:
            return self.group(given, path, depth)
        self.count += 1
        return self._leaf(given, path)

    def _leaf(self, given: Any, path: str) -> Leaf | None:
        if not isinstance(given, dict):
            self.flaw(path, 'A condition is {"field": ..., "operator": ..., "value": ...}, a group has "rules".')
            return None
        self._unknown(given, path, {"field", "operator", "value"})
        if given.get("valueSource", "value") != "value":
            self.flaw(f"{path}.valueSource", "Only values are compared with, no other field: value.")
        key, operator = given.get("field"), given.get("operator")
        of = catalogue().get(key) if isinstance(key, str) else None
        if of is None:
            self.flaw(f"{path}.field", f"One of: {', '.join(catalogue())}.")
            return None
        if operator not in of.operators:
            self.flaw(f"{path}.operator", f"{of.key} takes one of: {' '.join(of.operators)}.")
            return None
        value, narrowed = given.get("value"), dict[str, Any]()
        if isinstance(value, dict):
            value, narrowed = self._narrowed(of, value, f"{path}.value")
        if of.special == "cross_sell" and "category" not in narrowed:
            self.flaw(f"{path}.value", f'{of.key} needs a category: {{"value": 0.3, "category": "..."}}.')
        before = len(self.flaws)
        values = self._values(of, str(operator), value, f"{path}.value")
        return Leaf(of, str(operator), values, narrowed, path) if len(self.flaws) == before else None

    def _unknown(self, given: dict[Any, Any], path: str, known: set[str]) -> None:
        for place in (one for one in given if one not in known | IGNORED):
            said = place if isinstance(place, str) and place.isidentifier() and len(place) < 30 else "…"
            self.flaw(path, f"`{said}` is not known here; it takes {', '.join(sorted(known))}.")

    def _narrowed(self, of: Field, given: dict[Any, Any], path: str) -> tuple[Any, dict[str, Any]]:
        if not of.narrowing:
            self.flaw(path, f"{of.key} takes a plain value.")
            return given.get("value"), {}
        self._unknown(given, path, {"value", *of.narrowing})
        found: dict[str, Any] = {}
        for name in NARROWINGS:
            if name in of.narrowing and given.get(name) is not None:
                found[name] = self._narrowing(name, given[name], f"{path}.{name}")
        return given.get("value"), found

    def _narrowing(self, name: str, given: Any, path: str) -> Any:
        if name == "days":
            if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= LONGEST_DAYS:
                self.flaw(path, f"A whole number of days, 1 to {LONGEST_DAYS}.")
            return given
        if name == "store":
            return self._one_id(given, path)
        allowed = {"baby_class": "baby_classes", "channel": "order_channels", "kind": "kinds"}.get(name)
        return self._one_text(given, path, ENUMS[allowed] if allowed else ())

    def _values(self, of: Field, operator: str, given: Any, path: str) -> tuple[Any, ...]:
        if operator in ("null", "notNull"):
            return ()
        one = self._one_of(of)
        if operator in ("between", "notBetween"):
            ends = given.split(",") if isinstance(given, str) else given  # react-querybuilder writes "1,5" by default
            if not isinstance(ends, list) or len(ends) != 2:
                self.flaw(path, "A list of two values, lowest first.")
                return ()
            before, found = len(self.flaws), [one(end, f"{path}[{place}]") for place, end in enumerate(ends)]
            if len(self.flaws) == before and found[0] > found[1]:
                self.flaw(path, "The lowest comes first.")
            return tuple(found)
        if operator in ("in", "notIn"):
            many = given.split(",") if isinstance(given, str) else given
            if not isinstance(many, list) or not 1 <= len(many) <= MOST_VALUES:
                self.flaw(path, f"A list of 1 to {MOST_VALUES} values.")
                return ()
            return tuple(one(each, f"{path}[{place}]") for place, each in enumerate(many))
        return (one(given, path),)

    def _one_of(self, of: Field) -> Callable[[Any, str], Any]:
        """How one value of the field is read."""
        if of.type in ("number", "date"):
            return self._one_number if of.type == "number" else self._one_date
        if of.type == "id" or of.special == "segment":
            return self._one_id
        return lambda given, path: self._one_text(given, path, ENUMS.get(of.values, ()))

    def _one_number(self, given: Any, path: str) -> Decimal:
        try:
            found = (
                Decimal(str(given)) if isinstance(given, int | float | str) and not isinstance(given, bool) else None
            )
        except InvalidOperation:
            found = None
        if found is None or not found.is_finite() or abs(found) > LARGEST or found != round(found, 6):
            self.flaw(path, f"A number from -{LARGEST:,} to {LARGEST:,} with at most 6 decimals.")
            return Decimal(0)
        return found

    def _one_date(self, given: Any, path: str) -> date:
        try:
            return date.fromisoformat(given)
        except (TypeError, ValueError):
            self.flaw(path, "A day as 2017-12-15.")
            return date.min

    def _one_id(self, given: Any, path: str) -> UUID:
        try:
            return UUID(given)
        except (TypeError, ValueError, AttributeError):
            self.flaw(path, "An id as the field's values name it.")
            return UUID(int=0)

    def _one_text(self, given: Any, path: str, allowed: tuple[str, ...]) -> str:
        if allowed and given not in allowed:
            self.flaw(path, f"One of: {', '.join(allowed)}.")
        elif not isinstance(given, str) or not 0 < len(given) <= LONGEST_TEXT or "\x00" in given:
            self.flaw(path, f"A text of 1 to {LONGEST_TEXT} characters.")
        return str(given)
