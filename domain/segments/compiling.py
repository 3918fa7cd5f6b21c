"""Compiling: a rule's tree to one SQL condition on `member_facts f`, with parameters, on her own local day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import orjson

from domain.database import connection
from domain.platform.clock import business_now, local_day
from domain.platform.parameters import Parameters
from domain.segments.leaves import Day, Setting, condition, cost
from domain.segments.rules import Group, Leaf, leaves, read, segments_in

MOST_INLINED = 256
"""Conditions of a rule, with those of the segments that it names."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a rule is asked: the local days there are, the one of most zones first, and the segments that rules name."""

    now: datetime
    days: tuple[Day, ...]
    trees: Mapping[UUID, Group]


async def this_moment() -> Moment:
    """The business clock's moment in every zone that members live in. Three small statements."""
    now = await business_now()
    zones = await connection().execute_query_dict("SELECT time_zone FROM member_zones ORDER BY time_zone")
    rows = await connection().execute_query_dict("SELECT id, rule FROM segments WHERE archived_at IS NULL")
    trees = {row["id"]: tree for row in rows if isinstance(tree := read(_decoded(row["rule"])), Group)}
    return Moment(now, days_of(now, [row["time_zone"] for row in zones]), trees)


def _decoded(rule: object) -> object:
    return orjson.loads(rule) if isinstance(rule, str | bytes) else rule


def days_of(now: datetime, zones: Iterable[str]) -> tuple[Day, ...]:
    """At most three local days stand in the world at once."""
    found: dict[date, list[str]] = {}
    for zone in zones:
        found.setdefault(local_day(now, zone), []).append(zone)
    if not found:
        return (Day(now.date(), ("UTC",)),)
    return tuple(Day(today, tuple(names)) for today, names in sorted(found.items(), key=lambda one: -len(one[1])))


def compile_rule(tree: Group, moment: Moment, parameters: Parameters, among: str = "") -> str:
    """The condition. TRUE for whoever meets the rule, FALSE or NULL for all others."""
    arms = [
        _tree(tree, Setting(parameters, day, moment.trees, _tree, among))
        for day in (moment.days if asks_the_day(tree, moment.trees) else moment.days[:1])
    ]
    if len(arms) == 1:
        return arms[0]
    when = [
        f"WHEN f.time_zone = ANY({parameters(list(day.zones))}::text[]) THEN {arm}"
        for day, arm in zip(moment.days[1:], arms[1:], strict=True)
    ]
    return f"CASE {' '.join(when)} ELSE {arms[0]} END"


def asks_the_day(tree: Group, trees: Mapping[UUID, Group]) -> bool:
    """Whether the rule can mean somebody else tomorrow though nothing was written."""
    for leaf in leaves(tree):
        if leaf.field.is_daily or "days" in leaf.narrowed:
            return True
        named = [trees[one] for one in leaf.values if one in trees] if leaf.field.special == "segment" else []
        if any(asks_the_day(one, trees) for one in named):
            return True
    return False


def _cost(one: Leaf | Group) -> int:
    return cost(one) if isinstance(one, Leaf) else sum(_cost(part) for part in one.rules)


def _tree(tree: Group, at: Setting) -> str:
    rules = sorted(tree.rules, key=_cost)  # a database asks AND and OR within CASE as they are written
    parts = [condition(one, at) if isinstance(one, Leaf) else _tree(one, at) for one in rules]
    joined = f"({f' {tree.combinator.upper()} '.join(parts)})"
    return f"({joined} IS NOT TRUE)" if tree.is_negated else joined


def weight(tree: Group, trees: Mapping[UUID, Group]) -> int:
    """Conditions of the rule, with those of the segments that it names, as often as it names them."""
    known: dict[UUID, int] = {}

    def of(one: Group) -> int:
        total = 0
        for leaf in leaves(one):
            total += 1
            if leaf.field.special == "segment":
                for named in leaf.values:
                    if named in trees:
                        if named not in known:
                            known[named] = of(trees[named])
                        total += known[named]
        return total

    return of(tree)


def reaches(start: Group, trees: Mapping[UUID, Group]) -> set[UUID]:
    """Every segment that the rule names, directly or through others."""
    found: set[UUID] = set()
    waiting = list(segments_in(start))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += segments_in(trees[one]) if one in trees else []
    return found
