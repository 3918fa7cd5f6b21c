"""Who sees what, told a second time in plain Python: rights by field, rows by scope, masks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.platform.actors import Actor
from tests.api.differential.builder import NOON, Row
from tests.api.differential.world import World

TYPE_NEEDS = {
    "Member": "READ_MEMBERS", "Household": "READ_MEMBERS", "Consent": "READ_MEMBERS", "Baby": "READ_BABIES",
    "GuardianConsent": "READ_BABIES", "CatalogueTag": "READ_TAGS",
    "Identity": "READ_CONTACTS", "Tag": "READ_TAGS", "Order": "READ_ORDERS", "OrderLine": "READ_ORDERS",
    "OrderReturn": "READ_ORDERS", "Interaction": "READ_INTERACTIONS",
    "Question": "READ_INTERACTIONS", "OwnerAssignment": "READ_CALLBACKS", "Message": "READ_MESSAGES",
    "Decision": "READ_MESSAGES", "MessageEvent": "READ_MESSAGES", "Score": "READ_SCORES",
    "CallbackTask": "READ_CALLBACKS", "CallbackOutcome": "READ_CALLBACKS", "Staff": "READ_CATALOGUE",
    "Merge": "READ_MEMBERS", "MergeSuggestion": "MERGE_MEMBERS", "IdentityBlock": "MERGE_MEMBERS",
    "Store": "READ_CATALOGUE", "Product": "READ_CATALOGUE", "Segment": "READ_SEGMENTS",
    "SegmentCatalogue": "READ_SEGMENTS", "SegmentCount": "READ_SEGMENTS", "SegmentWhy": "READ_SEGMENTS",
    "SegmentOverlap": "READ_SEGMENTS",
}  # fmt: skip
FIELD_NEEDS = {
    "Query.members": "SEARCH_MEMBERS", "Query.messages": "SEARCH_MEMBERS",
    "Query.stageEntries": "SEARCH_MEMBERS", "Member.phone": "READ_CONTACTS",
    "Member.email": "READ_CONTACTS", "Member.handlingNote": "READ_TAGS", "Member.lastOrderedAt": "READ_ORDERS",
    "Member.lastContactAt": "READ_INTERACTIONS", "Message.address": "READ_CONTACTS",
    "Merge.reason": "READ_TAGS", "Message.subject": "READ_MESSAGE_TEXT", "Message.body": "READ_MESSAGE_TEXT",
    "Message.bodyHtml": "READ_MESSAGE_TEXT", "Store.staff": "ASSIGN_OWNERS",
    "Query.segmentSample": "READ_SEGMENTS", "Segment.members": "SEARCH_MEMBERS",
}  # fmt: skip


def may(actor: Actor, field: str, leads_to: str) -> bool:
    """Whether the rights of the actor reach the field `Type.field` and the type that it leads to."""
    needed = {FIELD_NEEDS.get(field), TYPE_NEEDS.get(leads_to)} - {None}
    return needed <= {one.value for one in actor.permissions}


def same(one: object, other: object) -> bool:
    """Equal as SQL has it: nothing equals null."""
    return one is not None and one == other


@dataclass(slots=True)
class Sight:
    """The rows of the world that one actor may see at a moment."""

    world: World
    actor: Actor

    def sees(self, type_name: str, row: Row) -> bool:
        """Whether the row may be reached from anywhere, by its own type's rule."""
        rule = RULES.get(type_name)
        return rule is None or rule(self, row)

    def member(self, row: Row) -> bool:
        actor = self.actor
        if row["status"] in ("ERASED", "MERGED"):
            return False
        if actor.role == "MEMBER":
            return same(actor.household_id, row["household_id"])
        if actor.role == "FRONTEND" or actor.scope == "ALL":
            return True
        return same(actor.staff_id, row["owner_id"]) or self.place(row) or row["id"] in self.on_the_phone()

    def place(self, row: Row) -> bool:
        """By where the row's store is; those of OWN scope see nothing by it."""
        if self.actor.scope == "STORE":
            return same(self.actor.store_id, row["store_id"])
        store = self.world.row("stores", row["store_id"])
        return (
            self.actor.scope == "DISTRIBUTOR"
            and store is not None
            and same(self.actor.distributor_id, store["distributor_id"])
        )

    def on_the_phone(self) -> set[object]:
        """Members whose call the actor holds, or made in the last day of the machine's clock."""
        now, account = datetime.now(UTC), self.actor.account_id
        held = {task["member_id"] for task in self.world.tables["callback_tasks"] if self.holds(task)}
        for said in self.world.rows("callback_outcomes", "account_id", account):
            if said["logged_at"] > now - timedelta(hours=24):
                task = self.world.row("callback_tasks", said["task_id"])
                assert task is not None
                held.add(task["member_id"])
        return held

    def holds(self, task: Row) -> bool:
        return is_live(task) and same(self.actor.account_id, task["lease_account_id"])

    def household(self, key: object) -> bool:
        return any(self.member(carer) for carer in self.world.rows("members", "household_id", key))

    def of_member(self, row: Row) -> bool:
        member = self.world.row("members", row["member_id"])
        return member is not None and self.member(member)

    def merge(self, row: Row) -> bool:
        return self.named(self.world.away(row))

    def named(self, key: object) -> bool:
        member = self.world.row("members", key)
        return member is not None and self.member(member)

    def may_work_on(self, task: Row) -> bool:
        """The tasks on an actor's list."""
        actor = self.actor
        if actor.scope == "ALL" or same(actor.staff_id, task["owner_id"]):
            return True
        if task["owner_id"] is None and task["store_id"] is None:
            return True
        if actor.scope in ("STORE", "DISTRIBUTOR"):
            return self.place(task)
        if actor.store_id is not None:
            return task["owner_id"] is None and same(actor.store_id, task["store_id"])
        return self._is_left(task)

    def queue_of(self, task: Row) -> str | None:
        """Whose turn a task is for the actor: the first list that holds it; none for others' in their owner's time."""
        is_own = self.actor.staff_id is not None and same(self.actor.staff_id, task["owner_id"])
        if self.actor.account_id is not None and same(self.actor.account_id, task["released_by"]):
            return "RETURNED"
        if is_own:
            return "OWN"
        if not self._is_left(task):
            return None
        return "STORE" if self.actor.store_id is not None and same(self.actor.store_id, task["store_id"]) else "POOL"

    def _is_left(self, task: Row) -> bool:
        accounts = self.world.rows("accounts", "staff_id", task["owner_id"])
        return (
            task["owner_id"] is None
            or task["released_by"] is not None
            or task["not_before"] <= NOON - timedelta(hours=2)
            or not any(account["is_active"] for account in accounts)
        )


RULES: dict[str, Callable[[Sight, Row], bool]] = {
    "Member": Sight.member,
    "Household": lambda sight, row: sight.household(row["id"]),
    "Baby": lambda sight, row: sight.household(row["household_id"]),
    **dict.fromkeys(
        ("Order", "Interaction", "Message", "Decision", "Identity", "Consent", "Score", "OwnerAssignment"),
        Sight.of_member,
    ),
    "Question": lambda sight, row: sight.of_member(sight.world.row("interactions", row["interaction_id"]) or {}),
    "CallbackTask": lambda sight, row: sight.may_work_on(row) or sight.of_member(row),
    "Merge": Sight.merge,
    "MergeSuggestion": lambda sight, row: sight.named(row["one_id"]) and sight.named(row["other_id"]),
    "Segment": lambda sight, row: set(row["needs"]) <= {one.value for one in sight.actor.permissions},
    # Parts of another row: never by themselves; their whole does not ask.
    **dict.fromkeys(
        ("CallbackOutcome", "OrderLine", "OrderReturn", "MessageEvent", "GuardianConsent", "Tag"),
        lambda _sight, _row: False,
    ),
}


def is_live(task: Row) -> bool:
    """A lease that has not lapsed."""
    return bool(task["state"] == "LEASED" and task["lease_until"] > datetime.now(UTC))


def masked_address(text: str) -> str:
    name, at, domain = text.partition("@")
    return f"{name[:1]}***@{domain}" if at else f"***{text[-4:]}"


def masked_identity(identity: Row) -> str:
    value: str = identity["value"]
    if identity["kind"] in ("EXTERNAL_ID", "POS_ID"):
        return value
    return masked_address(value) if identity["kind"] == "EMAIL" else f"***{value[-4:]}"
