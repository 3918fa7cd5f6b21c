"""Segments told a second time: rules in the words of the world, who may ask them, and what she has of a condition."""

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from domain.platform.actors import Actor
from domain.segments.fields import ENUMS, catalogue
from domain.segments.segments import Segment
from domain.stages.engine import BabyDates, read
from tests.api.differential.builder import CATEGORIES, NOON, TEXTS, Builder, Row
from tests.domain.segments.oracle import Oracle

NEEDS = {  # by the group of a field
    "member": "READ_MEMBERS", "baby": "READ_BABIES", "orders": "READ_ORDERS", "tags": "READ_TAGS",
    "scores": "READ_SCORES", "consents": "READ_MEMBERS", "interactions": "READ_INTERACTIONS",
    "segments": "READ_SEGMENTS",
}  # fmt: skip
BROKEN = [
    "", "not JSON", "[]", '{"combinator": "and", "rules": []}', '{"combinator": "xor", "rules": [{}]}',
    '{"combinator": "and", "rules": [{"field": "no.such", "operator": "=", "value": 1}]}',
    '{"combinator": "or", "rules": [{"field": "orders.count", "operator": "in", "value": [1]}]}',
]  # fmt: skip
DAYS = {"due_in_days": (-3, 5, 150), "age_days": (0, 90, 365), "age_months": (0, 3, 12, 36)}
SOME_DAYS = (0, 1, 7, 30)


class Rules:
    """The texts that documents ask with, each with its tree or None where it cannot be right."""

    def __init__(self, tables: dict[str, list[Row]]) -> None:
        self.tables, self.chance = tables, random.Random(3)  # test data
        self.fields = list(catalogue().values())
        self.known: dict[str, Row | None] = {}

    def fill(self) -> dict[str, Row | None]:
        """A condition of every field and operator, and trees of several."""
        trees = [self._tree([self._leaf(of, operator)]) for of in self.fields for operator in of.operators]
        self.known = {json.dumps(tree): tree for tree in [*trees, *(self.tree(3) for _ in range(120))]}
        return self.known | dict.fromkeys(BROKEN)

    def tree(self, depth: int) -> Row:
        some = [
            self.tree(depth - 1) if depth > 1 and self.chance.random() < 0.3 else self._any()
            for _ in range(self.chance.randint(1, 3))
        ]
        return self._tree(some)

    def _tree(self, rules: list[Row]) -> Row:
        negation = self.chance.choice([{}, {}, {"not": True}, {"not": False}])
        return {"combinator": self.chance.choice(["and", "or"]), **negation, "rules": rules}

    def _any(self) -> Row:
        of = self.chance.choice(self.fields)
        return self._leaf(of, self.chance.choice(of.operators))

    def _leaf(self, of: Any, operator: str) -> Row:
        leaf: Row = {"field": of.key, "operator": operator}
        if operator not in ("null", "notNull"):
            leaf["value"] = self._value(of, operator)
        if of.special == "cross_sell" or (of.narrowing and self.chance.random() < 0.5):
            leaf["value"] = {"value": leaf.get("value"), **self._narrowed(of)}
        return leaf

    def _value(self, of: Any, operator: str) -> Any:
        if operator in ("between", "notBetween"):
            return sorted((self._one(of), self._one(of)))
        if operator in ("in", "notIn"):
            return [self._one(of) for _ in range(self.chance.randint(1, 3))]
        return self._one(of)

    def _one(self, of: Any) -> Any:
        name = of.key.partition(".")[2]
        if of.type == "date":
            return str(NOON.date() - timedelta(days=self.chance.choice((0, 1, 3, 60, 200))))
        if of.special in ("churn", "cross_sell"):
            return self.chance.choice((0, 0.125, 0.3, 1))
        if of.type == "number":
            return self.chance.choice(DAYS.get(name, SOME_DAYS))
        lasting = {"language": ("en", "zh-Hans"), "jurisdiction": ("US", "CN"), "time_zone": ("UTC", "Asia/Shanghai"),
                   "joined_campaign": [text for text in TEXTS if text]}  # fmt: skip
        if of.key in ("member.store", "member.owner", "tags.tag", "segments.segment"):
            table, column = {"store": ("stores", "id"), "owner": ("staff", "id"), "tag": ("tags", "key"),
                             "segment": ("segments", "id")}[name]  # fmt: skip
            return str(self.chance.choice(self.tables[table])[column])
        return self.chance.choice(lasting.get(name) or ENUMS[of.values])

    def _narrowed(self, of: Any) -> Row:
        made: Row = {
            "days": self.chance.choice((1, 2, 7, 365)), "category": self.chance.choice(CATEGORIES),
            "baby_class": self.chance.choice(ENUMS["baby_classes"]),
            "channel": self.chance.choice(ENUMS["order_channels"]),
            "store": str(self.chance.choice(self.tables["stores"])["id"]), "kind": self.chance.choice(ENUMS["kinds"]),
        }  # fmt: skip
        names = ["category"] if of.special == "cross_sell" else self.chance.sample(of.narrowing, 1)
        return {name: made[name] for name in names}


async def make_segments(make: Builder, tables: dict[str, list[Row]]) -> None:
    """Segments that name others, archived ones, one of every group of fields; nobody is in them yet."""
    tables["segments"] = []
    rules = Rules(tables)
    groups = {of.key.partition(".")[0]: of for of in rules.fields if of.key != "segments.segment"}
    trees = [rules._tree([rules._leaf(of, of.operators[0])]) for of in groups.values()]
    for place, tree in enumerate([*trees, *([None] * 6)]):
        rule = tree or rules.tree(2)
        while any(not one["is_live"] for one in _named(tables, rule)):
            rule = rules.tree(2)
        is_live = place % 5 != 3
        made = await make.make(
            Segment, name=f"{place} {make.text()}", description=make.text(), rule=rule,
            place=place if is_live else None, needs=sorted(asked(tables, rule)),
            version=make.chance.randint(1, 5), created_at=make.at(),
            archived_at=None if is_live else make.at(),
        )  # fmt: skip
        tables["segments"].append({"id": made.id, "needs": made.needs, "is_live": is_live})


def leaves(tree: Row, path: str = "rule") -> Iterator[tuple[str, Row]]:
    """Every condition with its path."""
    for place, one in enumerate(tree["rules"]):
        here = f"{path}.rules[{place}]"
        if "rules" in one:
            yield from leaves(one, here)
        else:
            yield here, one


def _named(tables: dict[str, list[Row]], tree: Row) -> list[Row]:
    ids = {one for _, leaf in leaves(tree) if leaf["field"] == "segments.segment" for one in leaf["value"]}
    return [row for row in tables["segments"] if str(row["id"]) in ids]


def asked(tables: dict[str, list[Row]], tree: Row) -> set[str]:
    """What one must be allowed to read to ask the rule."""
    own = {NEEDS[leaf["field"].partition(".")[0]] for _, leaf in leaves(tree)}
    return own.union(*(segment["needs"] for segment in _named(tables, tree)))


def may_ask(tables: dict[str, list[Row]], tree: Row, actor: Actor) -> bool:
    is_live = all(segment["archived_at"] is None for segment in _named(tables, tree))
    return is_live and asked(tables, tree) <= {one.value for one in actor.permissions}


# What she has of what a condition asks


def said(oracle: Oracle, leaf: Row, member: Row) -> str:
    group, name = leaf["field"].split(".")
    if leaf["field"] == "segments.segment":
        hers = {row["segment_id"] for row in oracle.rows("segment_members", "member_id", member["id"])}
        named = _named(oracle.tables, {"rules": [leaf]})
        return ", ".join(sorted(row["name"] for row in named if row["id"] in hers))
    if name in SEVERAL:
        return ", ".join(SEVERAL[name](oracle, member))
    value = leaf.get("value")
    found = getattr(oracle, f"_{group}")(name, member, value if isinstance(value, dict) else {})
    return _plain(found[0]) if found else ""


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return str(Decimal(repr(value)).quantize(Decimal("0.0001")))
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return "" if value is None else str(value)


def _children(oracle: Oracle, member: Row) -> list[Row]:
    theirs = oracle.rows("babies", "household_id", member["household_id"])
    return sorted((one for one in theirs if one["stopped_at"] is None), key=lambda one: one["id"])


def _born(oracle: Oracle, member: Row) -> list[date]:
    return sorted(one["born_on"] for one in _children(oracle, member) if one["born_on"])


def _due(oracle: Oracle, member: Row) -> list[date]:
    return sorted(one["due_on"] for one in _children(oracle, member) if one["due_on"] and not one["born_on"])


def _months(oracle: Oracle, member: Row) -> list[str]:
    ages = [read(BabyDates(born_on=day), oracle.today(member)).age for day in _born(oracle, member)]
    return [str(age.months) for age in ages if age]


def _stages(oracle: Oracle, member: Row) -> list[str]:
    dates = [BabyDates(born_on=day) for day in _born(oracle, member)]
    dates += [BabyDates(due_on=day) for day in _due(oracle, member)]
    return [read(one, oracle.today(member)).stage.value for one in dates]


def _granted(oracle: Oracle, member: Row) -> list[str]:
    held = oracle._consents("consent", member, {})
    return [one for one in ENUMS["consents"] if one in held]


SEVERAL = {
    "age_months": _months,
    "age_days": lambda oracle, m: [str((oracle.today(m) - one).days) for one in _born(oracle, m)],
    "due_in_days": lambda oracle, m: [str((one - oracle.today(m)).days) for one in _due(oracle, m)],
    "stage": _stages,
    "feeding": lambda oracle, m: [one["feeding"] for one in _children(oracle, m)],
    "sex": lambda oracle, m: [one["sex"] for one in _children(oracle, m)],
    "tag": lambda oracle, m: sorted(oracle._tags("tag", m, {})),
    "consent": _granted,
}


def why(oracle: Oracle, tree: Row, member: Row) -> Row:
    return {
        "is_in": oracle.holds(tree, member),
        "conditions": [
            {
                "path": path, "field": leaf["field"], "operator": leaf["operator"],
                "isMet": oracle.holds(leaf, member), "value": said(oracle, leaf, member),
            }
            for path, leaf in leaves(tree)
        ],
    }  # fmt: skip


# The catalogue


def values_of(tables: dict[str, list[Row]], name: str, actor: Actor) -> list[tuple[str, str, str]]:
    """(name, English, 简体中文) of what may be chosen."""
    living = [row for row in tables["members"] if row["status"] not in ("ERASED", "MERGED")]
    if name == "stores":
        rows = sorted(tables["stores"], key=lambda row: (row["name"], row["id"]))
        return [(str(row["id"]), row["name"], row["name"]) for row in rows]
    if name == "tags":
        rows = sorted(tables["tags"], key=lambda row: row["key"])
        return [(row["key"], row["label_en"], row["label_zh"]) for row in rows]
    if name == "segments":
        may = {one.value for one in actor.permissions}
        seen = [row for row in tables["segments"] if row["archived_at"] is None and set(row["needs"]) <= may]
        return [(str(row["id"]), row["name"], row["name"]) for row in sorted(seen, key=lambda row: row["name"])]
    looked_up = {
        "time_zones": {row["time_zone"] for row in living},
        "campaigns": {row["joined_campaign"] for row in tables["members"]} - {None},
        "categories": {row["category"] for row in tables["products"]},
    }
    words = sorted(looked_up[name]) if name in looked_up else ENUMS.get(name, ())
    return [(word, word, word) for word in words]


def catalogue_of(tables: dict[str, list[Row]], actor: Actor, keys: list[str] | None, language: str) -> list[Row]:
    may = {one.value for one in actor.permissions}
    return [
        {
            "name": of.key, "type": of.type, "operators": list(of.operators), "narrowing": list(of.narrowing),
            "label": of.label_en if language == "en" else of.label_zh,
            "values": [
                {"name": name, "label": english if language == "en" else chinese}
                for name, english, chinese in values_of(tables, of.values, actor)
            ],
        }
        for of in catalogue().values()
        if NEEDS[of.key.partition(".")[0]] in may and (keys is None or of.key in keys)
    ]  # fmt: skip
