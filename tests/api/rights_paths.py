"""Ways to a type's fields, and what the table of rights says that they answer: documents and expected answers alike."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    is_leaf_type,
)

from domain.platform.roles import PERMISSIONS, Role
from tests.api.one_of_each import CARD, DAY, EMAIL, PHONE, RULE, World, is_now, missing_id
from tests.api.rights import MASKED, NOBODY, REFUSED, Cells, is_wrapper
from tests.factories import NOON

Path = tuple[str | int, ...]
EMBEDDED = frozenset(
    {
        "BabyStage", "CareDue", "FestivalDay", "NextStage", "TalkingPoint", "SegmentField", "SegmentValue",
        "SegmentCondition", "Provenance",
    }
)  # fmt: skip  # computed: no rows of their own
TOLD_IN_LISTS = frozenset({"TalkingPoint", "SegmentField", "SegmentValue", "SegmentCondition"})
FIRST_ID, LAST_ID = f"{0:08x}-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"


def cursor(key: str, *values: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, *values]).encode()).decode().rstrip("=")


# Before the first row of each connection: what comes after it is everything.
BEFORE_ALL = {
    "Query.members": cursor("id+", FIRST_ID),
    "Query.stageEntries": cursor("id+", FIRST_ID),
    "Query.products": cursor("id+", FIRST_ID),
    "Query.stores": cursor("id+", FIRST_ID),
    "Query.segments": cursor("id+", FIRST_ID),
    "Query.segmentSample": cursor("id+", FIRST_ID),
    "Segment.members": cursor("id+", FIRST_ID),
    "Query.mergeSuggestions": cursor("confidence-,id+", "2", FIRST_ID),
    "Query.identityBlocks": cursor("blocked_at-,id-", "2999-01-01 00:00:00+00", LAST_ID),
    "Query.callbackTasks": cursor("priority-,id+", "1e9", FIRST_ID),
    "Query.messages": cursor("created_at-,id-", "2999-01-01 00:00:00+00", LAST_ID),
    "Member.messages": cursor("created_at-,id-", "2999-01-01 00:00:00+00", LAST_ID),
    "Member.orders": cursor("ordered_at-,id-", "2999-01-01 00:00:00+00", LAST_ID),
    "Member.consentHistory": cursor("given_at-,id-", "2999-01-01 00:00:00+00", LAST_ID),
    "Query.tagCatalogue": cursor("id+", FIRST_ID),
    "Member.tagHistory": cursor("set_at-,id-", "2999-01-01 00:00:00+00", LAST_ID),
    "Member.timeline": cursor("at-,id-", "2999-01-01 00:00:00+00", LAST_ID),
}
# What narrows a timeline to all of it.
ALL_OF_IT = 'channels: [STORE, POS, SMS], since: "2001-01-01T00:00:00Z", until: "2999-01-01T00:00:00Z"'


SECOND = {"MergeSuggestion.other"}
"""They lead to another row than the one of its type: only that it is told is compared."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A selected field; `below` what is selected of the type `of` that it leads to."""

    key: str
    name: str
    shape: str  # leaf, one, list, page or told (an object or list of them that is computed)
    of: str = ""
    arguments: str = ""
    below: "tuple[Pick, ...]" = ()

    def __str__(self) -> str:
        text = self.name if self.key == self.name else f"{self.key}: {self.name}"
        inner = " ".join(map(str, self.below))
        if self.shape == "leaf":
            return text
        if self.shape == "page":
            inner = f"edges {{ node {{ __typename ... on {self.of} {{ {inner} }} }} }}"
        return f"{text}{self.arguments} {{ {inner} }}"


@dataclass(slots=True)
class Ways:
    """Selections of every field of a type, and of every field of what its relations lead to."""

    schema: GraphQLSchema
    known: dict[tuple[str, bool], tuple[Pick, ...]] = field(default_factory=dict)

    def of(self, type_name: str, *, deep: bool = True) -> tuple[Pick, ...]:
        """With relations where `deep`; rows that have no id are reached no other way, so theirs are always there."""
        found = self.known.get((type_name, deep))
        if found is None:
            named = self.schema.type_map[type_name]
            assert isinstance(named, GraphQLObjectType)
            has_id = "id" in named.fields
            picks = (pick for name in named.fields for pick in self._picks(named, name, deep=deep or not has_id))
            found = self.known[(type_name, deep)] = tuple(picks)
        return found

    def _picks(self, owner: GraphQLObjectType, name: str, *, deep: bool) -> Iterator[Pick]:
        of = owner.fields[name]
        named = get_named_type(of.type)
        if is_leaf_type(named):
            yield Pick(name, name, "leaf")
        elif named.name in EMBEDDED:
            given = f"({required(of.args)})" if required(of.args) else ""
            yield Pick(name, name, "told", named.name, given, below=self.of(named.name))
        elif deep and isinstance(named, GraphQLObjectType) and is_wrapper(named):
            yield from self._pages(f"{owner.name}.{name}", name, named)
        elif deep and f"{owner.name}.{name}" in SECOND:
            yield Pick(name, name, "one", named.name, below=(Pick("id", "id", "leaf"),))
        elif deep:
            is_list = "first" in of.args
            below = self.of(named.name, deep=False)
            yield Pick(name, name, "list" if is_list else "one", named.name, "(first: 1)" if is_list else "", below)

    def _pages(self, place: str, name: str, connection: GraphQLObjectType) -> Iterator[Pick]:
        """A page after a cursor; of a union one for each of its types, by its filter."""
        edge = get_named_type(connection.fields["edges"].type)
        assert isinstance(edge, GraphQLObjectType)
        node = get_named_type(edge.fields["node"].type)
        after = f'first: 1, after: "{BEFORE_ALL[place]}"'
        if isinstance(node, GraphQLUnionType):
            for arm in node.types:
                kind = "RETURN" if arm.name == "OrderReturn" else arm.name.upper()
                kinds = f"({after}, kinds: [{kind}], {ALL_OF_IT}{', questions: OPEN' * (kind == 'INTERACTION')})"
                yield Pick(f"{name}{arm.name}", name, "page", arm.name, kinds, self.of(arm.name, deep=False))
        else:
            yield Pick(name, name, "page", node.name, f"({after})", self.of(node.name, deep=False))


# argument -> whose id it takes; the others take a member's
IDS = {
    "babyId": "Baby", "taskId": "CallbackTask", "outcomeId": "CallbackOutcome", "storeId": "Store",
    "segmentId": "Segment", "mergeId": "Merge", "blockId": "IdentityBlock", "consentId": "Consent",
    "questionId": "Question", "fromStaffId": "Staff",
}  # fmt: skip
ANY = {
    "String": '"x"', "Int": "1", "Boolean": "true", "Date": '"2017-06-01"', "Decimal": '"1"',
    "DateTime": '"2017-06-01T00:00:00+00:00"',
}  # fmt: skip


def required(of: Mapping[str, GraphQLArgument | GraphQLInputField]) -> str:
    """The arguments that may not be left out, with values that are valid and name nothing that is there."""
    return ", ".join(f"{name}: {_any(name, one.type)}" for name, one in of.items() if is_required(one))


def is_required(one: GraphQLArgument | GraphQLInputField) -> bool:
    return isinstance(one.type, GraphQLNonNull) and one.default_value is Undefined


def _any(name: str, of: GraphQLInputType) -> str:
    inner = of.of_type if isinstance(of, GraphQLNonNull) else of
    if isinstance(inner, GraphQLList):
        return f"[{_any(name, inner.of_type)}]"
    if isinstance(inner, GraphQLEnumType):
        return str(next(iter(inner.values)))
    if isinstance(inner, GraphQLInputObjectType):
        return f"{{ {required(inner.fields)} }}"
    return f'"{missing_id(IDS.get(name, "Member"))}"' if inner.name == "ID" else ANY[inner.name]


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


def wire(value: object) -> object:
    """A stored value as the SDL's scalars say it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat()
        whole, dot, rest = text.partition(".")
        return text if not dot else f"{whole}.{rest[:6].rstrip('0')}{rest[6:]}"
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, Decimal) else value


@dataclass(slots=True)
class Expected:
    """What a caller of a role is told by the table of rights, and which of its cells that proved."""

    cells: Cells
    world: World
    role: str
    rows: Mapping[str, Any]
    errors: set[tuple[Path, str]] = field(default_factory=set)
    proved: set[str] = field(default_factory=set)

    def is_refused(self, place: str) -> bool:
        self.proved.add(place)
        return self.cells[place][self.role] == REFUSED

    def reads(self, type_name: str) -> bool:
        """Whether anything of the type is told to the role at all."""
        return any(row[self.role] != REFUSED for name, row in self.cells.items() if name.startswith(f"{type_name}."))

    def refuse(self, path: Path) -> None:
        self.errors.add((path, "UNAUTHENTICATED" if self.role == NOBODY else "FORBIDDEN"))

    def object(self, type_name: str, picks: tuple[Pick, ...], path: Path) -> dict[str, Any] | None:
        row = self.rows[type_name]
        if row is None:
            return None
        found: dict[str, Any] = {}
        for pick in picks:
            place, here = f"{type_name}.{pick.name}", (*path, pick.key)
            if self.is_refused(place):
                self.refuse(here)
                found[pick.key] = None
            elif pick.shape == "leaf":
                found[pick.key] = self.leaf(type_name, pick.name, row)
            else:
                found[pick.key] = self.rows_of(type_name, pick, row, here)
        return found

    def rows_of(self, type_name: str, pick: Pick, row: Any, path: Path) -> Any:
        """What a relation leads to: the type's one row, unless the row it starts from points at none."""
        if f"{type_name}.{pick.name}" in SECOND:
            return {"id": f"{pick.of}:{getattr(row, f'{snake(pick.name)}_id')}"}
        if pick.shape == "page":
            if pick.arguments.find("kinds") > 0:
                self.proved |= {
                    f"{type_name}.{pick.name}({way})" for way in ("kinds", "channels", "since", "until", "questions")
                }
                if not self.reads(pick.of):
                    return {"edges": []}
            node = self.object(pick.of, pick.below, (*path, "edges", 0, "node"))
            return {"edges": [{"node": {"__typename": pick.of, **node}}] if node else []}
        if pick.of == "Provenance":  # many a row: that they are told is seen here, what they say where it is made
            self.proved.update(f"Provenance.{one.name}" for one in pick.below)
            keys = {one.key for one in pick.below}
            return lambda told: bool(told) and all(set(one) == keys for one in told)
        if pick.shape == "told" and pick.name in AHEAD:
            self.proved |= {f"{type_name}.{pick.name}{way}" for way in AHEAD[pick.name]}
            self.proved |= {f"{pick.of}.{one.name}" for one in pick.below}
            return lambda told: told and all(set(one) == {below.key for below in pick.below} for one in told)
        is_many = pick.shape == "list" or pick.of in TOLD_IN_LISTS
        if self.points_at_nothing(type_name, pick, row):
            return [] if is_many else None
        found = self.object(pick.of, pick.below, (*path, 0) if is_many else path)
        return ([found] if found else []) if is_many else found

    def points_at_nothing(self, type_name: str, pick: Pick, row: Any) -> bool:
        if type_name == "Viewer":
            actor = self.world.actors[self.role]
            return getattr(actor, f"{pick.name}_id") is None
        return getattr(row, f"{snake(pick.name)}_id", "") is None

    def leaf(self, type_name: str, name: str, row: Any) -> Any:
        place = f"{type_name}.{name}"
        if place in SECRETS:
            is_there = getattr(row, snake(name), "") is not None
            return SECRETS[place][self.cells[place][self.role] == MASKED] if is_there else None
        assert self.cells[place][self.role] != MASKED, f"{place}: say in SECRETS how it looks when it is masked"
        if place in SAID:
            said = SAID[place]
            return said(self) if callable(said) and said is not is_now else said
        return f"{type_name}:{row.id}" if name == "id" else wire(getattr(row, snake(name)))


def _mine(expected: Expected) -> Any:
    return expected.role not in ("FRONTEND", "MEMBER")


# What lies before a baby, with the arguments that narrow it: as many as there are, each whole; what they say is tested
# where it is computed.
AHEAD: dict[str, tuple[str, ...]] = {
    "nextStages": (),
    "careCalendar": ("(months)",),
    "festivals": ("(from)", "(to)"),
}
# In full, and masked.
SECRETS = {
    "Member.phone": (PHONE, "***0177"),
    "Member.email": (EMAIL, "m***@example.com"),
    "Identity.value": (CARD, "***4711"),
    "Message.address": (PHONE, "***0177"),
    "IdentityBlock.value": ("CARD-0815", "***0815"),
}
# What no column holds as it is told; functions of what is expected, but for those that look at the answer.
SAID: dict[str, Any | Callable[[Expected], Any]] = {
    "Member.name": lambda to: to.rows["Member"].full_name,
    "Member.lastOrderedAt": lambda to: wire(to.rows["Order"].ordered_at),
    "Member.lastContactAt": lambda to: wire(to.rows["Interaction"].occurred_at),
    "Member.formerIds": lambda to: [f"Member:{to.rows['Merge'].absorbed_id}"],
    "Merge.formerId": lambda to: f"Member:{to.rows['Merge'].absorbed_id}",
    "MergeSuggestion.reasons": ["GIVEN_TOGETHER"],
    "MergeSuggestion.kinds": ["CARD", "POS_ID"],
    "MergeSuggestion.mergedAt": wire(NOON - 2 * DAY),
    "MergeSuggestion.mergeReason": "One name.",
    "MergeSuggestion.unmergedAt": wire(NOON - DAY),
    "MergeSuggestion.unmergeReason": "Two sisters.",
    "Interaction.promiseState": lambda to: "OPEN" if to.rows["Interaction"].promise_task_id else None,
    "Order.lineCount": 1,
    "Consent.isInForce": True,
    "Order.goodsCount": 1,
    "Store.distributor": "North",
    "Baby.nextLunarBirthday": "2018-06-22",
    "Score.model": "cross_sell",
    "Score.modelVersion": "1",
    "Score.reasons": ["Last bought 40 days ago."],
    "Score.nextNeed": "diapers",
    "CallbackTask.why": "She has not come lately.",
    "CallbackTask.isMine": True,
    "CallbackTask.leaseHolder": "Nora Bell",
    "Segment.rule": RULE,
    "Viewer.role": lambda to: to.role,
    "Viewer.scope": lambda to: "ALL" if _mine(to) else None,
    "Viewer.permissions": lambda to: sorted(one.value for one in PERMISSIONS[Role(to.role)]),
    "Viewer.language": "en",
    "Viewer.businessNow": is_now,
}
