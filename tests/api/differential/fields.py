"""Fields told a second time: what a row leads to, and the values that are no column."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.platform.actors import Actor
from tests.api.differential.builder import NOON, Row
from tests.api.differential.finders import consents_in_force, in_force
from tests.api.differential.lists import PAGES, ordered
from tests.api.differential.segments import catalogue_of
from tests.api.differential.sights import Sight, is_live, masked_address, masked_identity, may, same
from tests.api.differential.world import World

BUSINESS_NOW = "\0the business clock\0"  # stands for a moment that no two answers share
COLUMNS = {"Member.name": "full_name", "Score.model": "model_name"}
TABLES = {
    "Member": "members", "Household": "households", "Baby": "babies", "Order": "orders", "Interaction": "interactions",
    "Message": "messages", "Decision": "decisions", "CallbackTask": "callback_tasks", "Staff": "staff",
    "Merge": "merges", "MergeSuggestion": "merge_suggestions", "IdentityBlock": "identity_blocks",
    "CallbackOutcome": "callback_outcomes", "Consent": "consents", "Store": "stores", "Product": "products",
    "Question": "questions", "CatalogueTag": "tags", "Segment": "segments",
}  # fmt: skip
NAMED = {  # to-one relations: (table, own column)
    "Member.household": "household_id", "Member.owner": "owner_id", "Member.store": "store_id",
    "MergeSuggestion.one": "one_id", "MergeSuggestion.other": "other_id",
    "Member.joinedBy": "joined_by_id", "Baby.household": "household_id", "Staff.store": "store_id",
    "OrderLine.product": "product_id", "Order.store": "store_id", "Order.servedBy": "served_by_id",
    "Order.member": "member_id", "Interaction.staff": "staff_id", "Interaction.store": "store_id",
    "Interaction.baby": "baby_id", "Interaction.member": "member_id", "Message.decision": "decision_id",
    "Message.baby": "baby_id", "Message.member": "member_id", "CallbackTask.owner": "owner_id",
    "Tag.owner": "owner_id", "CatalogueTag.owner": "owner_id",
    "OwnerAssignment.staff": "staff_id", "OwnerAssignment.previous": "previous_id",
    "OwnerAssignment.assignedBy": "assigned_by_id",
    "Interaction.promiseTask": "promise_task_id", "Question.answeredBy": "answered_by_id",
    "Question.interaction": "interaction_id", "OrderReturn.order": "order_id",
    "CallbackTask.store": "store_id", "CallbackTask.baby": "baby_id", "CallbackTask.member": "member_id",
    "Consent.store": "store_id", "Consent.baby": "baby_id", "GuardianConsent.guardian": "member_id",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thing:
    """A row that was reached, and of which type it is."""

    type_name: str
    row: Row


@dataclass(frozen=True, slots=True)
class Context:
    sight: Sight | None
    language: str
    codes: dict[str, set[str]]  # of root fields that are refused

    @property
    def actor(self) -> Actor:
        assert self.sight is not None
        return self.sight.actor

    def sees(self, type_name: str, row: Row) -> bool:
        assert self.sight is not None
        return self.sight.sees(type_name, row)

    @property
    def world(self) -> World:
        assert self.sight is not None
        return self.sight.world


def named(context: Context, target: str, key: object) -> Thing | None:
    row = context.world.row(TABLES[target], key)
    return Thing(target, row) if row is not None and context.sees(target, row) else None


def _touches(world: World, member: Row) -> Iterator[tuple[str, str, Row, datetime, str]]:
    """(type, kind, row, when, channel) of all that stands on a member's timeline."""
    for row in world.rows("interactions", "member_id", member["id"]):
        yield "Interaction", row["kind"], row, row["occurred_at"], row["channel"]
    for row in world.rows("messages", "member_id", member["id"]):
        yield "Message", "MESSAGE", row, row["created_at"], row["channel"]
    for row in world.rows("orders", "member_id", member["id"]):
        yield "Order", "ORDER", row, row["ordered_at"], row["channel"]
        for back in world.rows("order_returns", "order_id", row["id"]):
            yield "OrderReturn", "RETURN", back, back["returned_at"], row["channel"]


def _is_asked(world: World, row: Row, state: str) -> bool:
    asked = world.rows("questions", "interaction_id", row["id"])
    return any((one["answered_at"] is None) == (state == "OPEN") for one in asked)


def listed(path: str, context: Context, row: Row, given: dict[str, Any]) -> Callable[[], list[Row]]:
    """The rows of a connection of a row, which is seen: those that are hers, or in it and seen themselves."""
    if path == "Segment.members":
        named = [one["member_id"] for one in context.world.rows("segment_members", "segment_id", row["id"])]
        found = [context.world.row("members", key) for key in named]
        return lambda: [one for one in found if one is not None and context.sees("Member", one)]
    return _of_member(path, context, row, given)


def _of_member(path: str, context: Context, member: Row, given: dict[str, Any]) -> Callable[[], list[Row]]:
    if path == "Member.tagHistory":
        return lambda: _uses(context.world, "member_id", member)
    if path != "Member.timeline":
        table = {"consentHistory": "consents"}.get(path.removeprefix("Member."), path.removeprefix("Member."))
        return lambda: context.world.rows(table, "member_id", member["id"])
    given = {name: value for name, value in given.items() if value is not None}
    kinds, channels = given.get("kinds"), given.get("channels")
    return lambda: [
        {**row, "at": at, "#type": name}
        for name, kind, row, at, channel in _touches(context.world, member)
        if may(context.actor, "", name)
        and (kinds is None or kind in kinds or (name == "Interaction" and "INTERACTION" in kinds))
        and (channels is None or channel in channels)
        and ("since" not in given or at >= given["since"])
        and ("until" not in given or at < given["until"])
        and ("questions" not in given or _is_asked(context.world, row, given["questions"]))
    ]


# Lists: rows in order, before the scope of their type; parts are seen with their whole.

PARTS = ("Tag", "OrderLine", "OrderReturn", "MessageEvent", "CallbackOutcome", "GuardianConsent")


def _uses(world: World, column: str, row: Row) -> list[Row]:
    uses = world.rows("member_tags", column, row["id"])
    return [{**(world.row("tags", use["tag_id"]) or {}), **use} for use in uses]


def _tags(column: str) -> Callable[[Context, Row], list[Row]]:
    def standing(context: Context, row: Row) -> list[Row]:
        rows = [use for use in _uses(context.world, column, row) if in_force(use)]
        return sorted(rows, key=lambda use: (-use["set_at"].timestamp(), use["id"]))

    return standing


def _open_questions(context: Context, member: Row) -> list[Row]:
    hers = [
        asked
        for said in context.world.rows("interactions", "member_id", member["id"])
        for asked in context.world.rows("questions", "interaction_id", said["id"])
    ]
    return ordered([one for one in hers if one["answered_at"] is None], (("asked_at", False), ("id", False)))


def _promise(context: Context, said: Row) -> str | None:
    task = context.world.row("callback_tasks", said["promise_task_id"])
    if task is None:
        return None
    if task["state"] == "CANCELLED":
        return "CALLED_OFF"
    if task["state"] == "DONE":
        return "TRIED" if task["disposition"] in ("NO_ANSWER", "BUSY", "WRONG_NUMBER", None) else "KEPT"
    if task["state"] != "EXPIRED" and task["expires_at"] > NOON:
        return "OPEN"
    return "TRIED" if task["attempts"] else "BROKEN"


def _joined(table: str, column: str, own: str, *order: tuple[str, bool]) -> Callable[[Context, Row], list[Row]]:
    return lambda context, row: ordered(context.world.rows(table, column, row[own]), order)


FIRST_MADE = (("created_at", False), ("id", False))
LISTS: dict[str, Callable[[Context, Row], list[Row]]] = {
    "Member.babies": _joined("babies", "household_id", "household_id", *FIRST_MADE),
    "Baby.guardianConsents": _joined("guardian_consents", "baby_id", "id", ("given_at", True), ("id", True)),
    "Member.identities": _joined("identities", "member_id", "id", ("is_primary", True), ("kind", False), ("id", False)),
    "Member.merges": lambda context, row: ordered(
        [one for one in context.world.tables["merges"] if same(context.world.away(one), row["id"])],
        (("merged_at", True), ("id", False)),
    ),
    "Member.tags": _tags("member_id"),
    "Baby.tags": _tags("baby_id"),
    "Household.tags": _tags("household_id"),
    "Member.consents": lambda context, row: consents_in_force(context.world, row["id"]),
    "Member.recentOrders": _joined("orders", "member_id", "id", ("ordered_at", True), ("id", True)),
    "Member.scores": _joined("scores", "member_id", "id", ("model_name", False), ("rank", False), ("id", False)),
    "Member.openTasks": lambda context, row: [
        task
        for task in ordered(context.world.rows("callback_tasks", "member_id", row["id"]), PAGES["Query.callbackTasks"])
        if task["state"] in ("OPEN", "LEASED")
    ],
    "Member.ownerHistory": _joined("owner_assignments", "member_id", "id", ("assigned_at", True), ("id", True)),
    "Store.staff": lambda context, row: [
        one
        for one in ordered(context.world.rows("staff", "store_id", row["id"]), (("name", False), ("id", False)))
        if one["is_active"]
    ],
    "Member.openQuestions": _open_questions,
    "Interaction.questions": _joined("questions", "interaction_id", "id", ("place", False), ("id", False)),
    "Household.carers": _joined("members", "household_id", "id", ("joined_on", False), ("id", False)),
    "Household.babies": _joined("babies", "household_id", "id", *FIRST_MADE),
    "Order.lines": _joined("order_lines", "order_id", "id", ("line_no", False)),
    "Order.returns": _joined("order_returns", "order_id", "id", ("returned_at", False), ("id", False)),
    "Message.events": _joined("message_events", "message_id", "id", ("id", False)),
    "CallbackTask.outcomes": _joined("callback_outcomes", "task_id", "id", ("attempt", False), ("id", False)),
}


# Values that are no column


def _is_her_own(context: Context, row: Row) -> bool:
    return context.actor.member_id is not None and row["member_id"] == context.actor.member_id


def _identity(context: Context, row: Row) -> str:
    return str(row["value"]) if _is_her_own(context, row) else masked_identity(row)


def _contact(kind: str) -> Callable[[Context, Row], str | None]:
    def value(context: Context, member: Row) -> str | None:
        hers = [one for one in context.world.rows("identities", "member_id", member["id"]) if one["kind"] == kind]
        best = max(hers, key=lambda one: (one["is_primary"], one["last_seen_at"]), default=None)
        return _identity(context, best) if best is not None else None

    return value


def _address(context: Context, message: Row) -> str | None:
    if message["address"] is None or _is_her_own(context, message):
        return None if message["address"] is None else str(message["address"])
    return masked_address(message["address"])


def _latest(table: str, column: str) -> Callable[[Context, Row], datetime | None]:
    return lambda context, member: max(
        (row[column] for row in context.world.rows(table, "member_id", member["id"])), default=None
    )


def _goods(context: Context, order: Row) -> int:
    bought = [
        context.world.row("products", line["product_id"])
        for line in context.world.rows("order_lines", "order_id", order["id"])
    ]
    return sum(1 for product in bought if product is not None and product["is_merchandise"])


def _holder(context: Context, task: Row) -> str | None:
    account = context.world.row("accounts", task["lease_account_id"]) if is_live(task) else None
    if account is None:
        return None
    staff = context.world.row("staff", account["staff_id"])
    return str(staff["name"] if staff is not None else account["login"])


def _of(table: str, own: str, column: str) -> Callable[[Context, Row], Any]:
    return lambda context, row: (context.world.row(table, row[own]) or {}).get(column)


def _distinct(words: Iterable[str]) -> list[str]:
    """In the order of PostgreSQL's JSON: the shorter first."""
    return sorted(set(words), key=lambda word: (len(word), word))


def _last_merge(column: str) -> Callable[[Context, Row], Any]:
    def value(context: Context, row: Row) -> Any:
        pair = {row["one_id"], row["other_id"]}
        theirs = [one for one in context.world.tables["merges"] if {one["survivor_id"], one["absorbed_id"]} == pair]
        latest = ordered(theirs, (("merged_at", True), ("id", True)))
        return latest[0][column] if latest else None

    return value


VALUES: dict[str, Callable[[Context, Row], Any]] = {
    "Member.formerIds": lambda context, row: [
        f"Member:{one['id']}"
        for one in ordered(context.world.rows("members", "merged_into_id", row["id"]), (("id", False),))
    ],
    "Merge.formerId": lambda _, row: f"Member:{row['absorbed_id']}",
    "MergeSuggestion.reasons": lambda _, row: _distinct(one["code"] for one in row["evidence"]),
    "MergeSuggestion.kinds": lambda _, row: _distinct(kind for one in row["evidence"] for kind in one["kinds"]),
    "MergeSuggestion.mergedAt": _last_merge("merged_at"),
    "MergeSuggestion.mergeReason": _last_merge("reason"),
    "MergeSuggestion.unmergedAt": _last_merge("unmerged_at"),
    "MergeSuggestion.unmergeReason": _last_merge("unmerge_reason"),
    "IdentityBlock.value": lambda _, row: masked_identity(row),
    "Member.phone": _contact("PHONE"),
    "Member.email": _contact("EMAIL"),
    "Member.lastOrderedAt": _latest("orders", "ordered_at"),
    "Member.lastContactAt": _latest("interactions", "occurred_at"),
    "Identity.value": _identity,
    "Consent.isInForce": lambda context, row: (
        row["id"] in {one["id"] for one in consents_in_force(context.world, row["member_id"])}
    ),
    "Interaction.promiseState": _promise,
    "Message.address": _address,
    "Store.distributor": _of("distributors", "distributor_id", "name"),
    "Order.lineCount": lambda context, row: len(context.world.rows("order_lines", "order_id", row["id"])),
    "Order.goodsCount": _goods,
    "Score.modelVersion": _of("scoring_models", "model_id", "version"),
    "CallbackTask.isMine": lambda context, row: context.sight is not None and context.sight.holds(row),
    "CallbackTask.leaseHolder": _holder,
    "Viewer.role": lambda context, _: context.actor.role.value,
    "Viewer.scope": lambda context, _: context.actor.scope.value if context.actor.staff_id else None,
    "Viewer.permissions": lambda context, _: sorted(one.value for one in context.actor.permissions),
    "Viewer.language": lambda context, _: context.language,
    "Viewer.staff": lambda context, _: named(context, "Staff", context.actor.staff_id),
    "Viewer.member": lambda context, _: named(context, "Member", context.actor.member_id),
    "SegmentCatalogue.fields": lambda context, row: catalogue_of(
        context.world.tables, context.actor, row["keys"], context.language
    ),
    "Viewer.businessNow": lambda _context, _row: BUSINESS_NOW,
}
