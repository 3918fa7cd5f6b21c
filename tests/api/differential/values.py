"""What arguments are made of: texts, ids and cursors that find something, and some that cannot be right."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.api.differential.world import World

NODES = {
    "Member": "members", "Household": "households", "Baby": "babies", "Order": "orders", "Interaction": "interactions",
    "Message": "messages", "Decision": "decisions", "CallbackTask": "callback_tasks", "Staff": "staff",
    "Merge": "merges", "MergeSuggestion": "merge_suggestions", "IdentityBlock": "identity_blocks",
    "CallbackOutcome": "callback_outcomes", "Store": "stores", "Product": "products", "Consent": "consents",
    "Question": "questions", "CatalogueTag": "tags", "Segment": "segments",
}  # fmt: skip
BAD_IDS = ["", "Member", "Member:1", "Tag:0190", ":", "Query:00000000-0000-4000-8000-000000000000",
           "Member:00000000-0000-4000-8000-000000000000", "Member:zzzzzzzz-0000-4000-8000-000000000000",
           "é" * 50]  # fmt: skip
BAD_CURSORS = ["", "é", "e30", "AAAA", "W10", "WyJpZCsiLCAiMSJd", "=", "x" * 300]
TEXTS = {
    "text": ["emma", "王", "wang", "wxl", "7001", "02 (555) 7001", "700", "!!",
             " ", "o'b", "zoë", "an", "m4", "37001", "😀", "\ud7ff"],
    "phoneEnding": ["7001", "557001", "0100", "12", "(555) 01-10", "abcd"],
    "card": ["7001", "9000007001", "9000107001", "0", "-----"],
    "name": ["Emma", "emma", "Zoë O'Neill", 'Anna "A', "shan", "ej", "单", "", "%", "a\\b"],
    "babyNickname": ["mia", "Mia", "豆", "doudou", "?", "o'b"],
    "tag": ["tag.0", "tag.1", "tag.2", "tag.3", "no such", ""],
    "category": ["DIAPERS & DISPOSABLES", "it's odd", "FROZEN PIZZA", "none", ""],
    "phone": ["+12025557001", "+12025550100", "(202) 555-0110", "0", "", "+1202555"],
    "source": ["till", "desk", "'", ""],
    "reason": ["", "NO_CONSENT", "no"],
    "keys": ["orders.count", "member.store", "tags.tag", "segments.segment", "baby.stage", "no.such"],
}  # fmt: skip
DAYS = ["2017-12-15", "2017-12-01", "2017-11-30", "2017-06-03", "2016-12-20", "2017-12-31", "2018-03-01", "2012-02-29"]
MOMENTS = [
    "2017-12-10T10:00:00Z",
    "2017-12-14T07:00:00+00:00",
    "2017-12-12T08:00:00.000001+01:00",
    "2017-01-01T00:00:00Z",
]


class Word(str):
    """The name of an enum's value."""

    __slots__ = ()


def literal(value: Any) -> str:
    """The value as GraphQL writes it."""
    if isinstance(value, Word):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=len(str(value)) % 2 == 0)


@dataclass(slots=True)
class Pools:
    """Values of the world: ids by type, outer names of members and products, and cursors by the page's node type."""

    ids: dict[str, list[str]]
    outer: list[str]
    cursors: dict[str, list[str]]  # of answers, by the name of their connection
    rules: list[str] = field(default_factory=list)

    def value(self, chance: random.Random, scalar: str, name: str, of: str, rows: int) -> Any:
        """A value of a scalar for an argument of that name, of a field of type `of`."""
        if name == "first":
            if chance.random() < 0.02:
                return chance.choice([0, -1, 101])
            return min(rows, chance.choice([1, 2, 3, chance.randint(1, 8)]))
        if name == "after":
            return self._cursor(chance, of)
        if scalar == "ID":
            return self._id(
                chance,
                "Member" if name == "memberId" else of if of in ("Member", "Segment") else chance.choice(list(NODES)),
            )
        if scalar == "DateTime":
            return chance.choice(MOMENTS)
        if name == "months":
            return chance.choice([1, 6, 12, 12, 24]) if chance.random() < 0.97 else chance.choice([0, -1, 25])
        if scalar == "Date":
            return chance.choice(DAYS)
        if name in ("rule", "one", "other"):
            return chance.choice(self.rules)
        if name == "externalId":
            return chance.choice(self.outer)
        return chance.choice(TEXTS[name])

    def _id(self, chance: random.Random, type_name: str) -> str:
        if chance.random() < 0.04:
            return chance.choice(BAD_IDS)
        if chance.random() < 0.03:
            type_name = chance.choice(list(NODES))
        return chance.choice(self.ids[type_name])

    def _cursor(self, chance: random.Random, connection: str) -> str:
        if chance.random() < 0.05:
            return chance.choice(BAD_CURSORS)
        if chance.random() < 0.04:
            connection = chance.choice(list(self.cursors))
        return chance.choice(self.cursors[connection])


def pools_of(world: World, cursors: dict[str, list[str]]) -> Pools:
    outer = [row["external_id"] for table in ("members", "products") for row in world.tables[table]]
    ids = {name: [f"{name}:{row['id']}" for row in world.tables[table]] for name, table in NODES.items()}
    return Pools(ids, [*outer, "no such", ""], cursors, list(world.rules))
