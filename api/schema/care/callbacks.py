"""Call-back tasks: whom to call, why, what may be said, and what came of it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from api.context import ApiContext
from api.projection import Ask, Family, Wanted, column, computed, expression, identifier, projected, relation
from api.schema.commerce.staff import Staff
from api.schema.commerce.stores import Store
from api.schema.nodes import Node
from api.schema.people.babies import Baby
from api.schema.scopes import TASKS, only_from
from domain.care.callbacks import CallbackKind, CallbackState, Disposition
from domain.outreach.call_reasons import say_why
from domain.platform.roles import Permission
from domain.platform.sources import Purpose

if TYPE_CHECKING:
    from api.schema.people.members import Member


@strawberry.type(description="What may be said, asked, or must not be said on a call.")
class TalkingPoint:
    kind: str = strawberry.field(description="SAY, ASK or DO_NOT_SAY.")
    code: str = strawberry.field(description="Which point; stable over versions.")
    text: str = strawberry.field(description="In the caller's language.")


async def _compute(context: ApiContext, wanted: Sequence[Wanted]) -> list[list[TalkingPoint]]:
    return [[_point(point, context.language) for point in item.needs["points"]] for item in wanted]


def _point(point: dict[str, Any], language: str) -> TalkingPoint:
    text = point.get(language) or point.get("en") or ""
    return TalkingPoint(kind=point.get("kind", "SAY"), code=point.get("code", ""), text=text)


TALKING = Family("talking", needs={"points": "{t}.talking_points"}, compute=_compute)


async def _say(context: ApiContext, wanted: Sequence[Wanted]) -> list[str]:
    return [_why(item.needs, context.language) for item in wanted]


def _why(needs: dict[str, Any], language: str) -> str:
    bought_at = datetime.fromisoformat(needs["bought_at"]) if needs["bought_at"] else None
    return say_why(needs["code"], needs["reason"], language, date.fromisoformat(needs["on"]), bought_at)


WHY = Family(
    "why",
    needs={
        "code": "{t}.reason_code",
        "reason": "{t}.reason",
        "on": lambda ask, _alias: ask.today(),
        "bought_at": "(SELECT max(o.ordered_at) FROM orders o WHERE o.member_id = {t}.member_id "
        "AND o.ordered_at <= (SELECT business_now()))",
    },
    compute=_say,
)


def _is_live(alias: str) -> str:
    return f"({alias}.state = 'LEASED' AND {alias}.lease_until > statement_timestamp())"


def _is_mine(ask: Ask, alias: str) -> str:
    """A lease that the caller holds and that has not lapsed."""
    account = ask(ask.actor.account_id, "uuid")
    return f"coalesce({_is_live(alias)} AND {alias}.lease_account_id = {account}, FALSE)"


HOLDER = f"""CASE WHEN {_is_live("{t}")} THEN (
    SELECT coalesce(s.name, a.login) FROM accounts a LEFT JOIN staff s ON s.id = a.staff_id
    WHERE a.id = {{t}}.lease_account_id)
END"""


@projected(
    table="callback_outcomes",
    scope=only_from({"CallbackTask": (("task_id", "id"),)}),
    permission=Permission.READ_CALLBACKS,
    description="One attempt and what came of it.",
)
class CallbackOutcome(Node):
    id: strawberry.ID = identifier()
    attempt: int = column("attempt", "Which attempt, from 1.")
    disposition: Disposition = column("disposition", "What came of it.")
    note: str = column("note", "What was said.")
    next_step: str = column("next_step", "What became of the task.")
    call_later_at: datetime | None = column("call_later_at", "When she wants to be called (business clock).")
    logged_at: datetime = column("logged_at", "When it was logged (real clock); for ten seconds it can be taken back.")
    undone_at: datetime | None = column("undone_at", "When it was taken back (real clock).")


@projected(
    table="callback_tasks",
    scope=TASKS,
    permission=Permission.READ_CALLBACKS,
    description="A call to make, with its reason; leased to one person at a time.",
)
class CallbackTask(Node):
    id: strawberry.ID = identifier()
    kind: CallbackKind = column("kind", "Why it exists.")
    purpose: Purpose = column("purpose", "What for.")
    state: CallbackState = column("state", "Where it stands.")
    reason_code: str = column("reason_code", "Why now, as a code.")
    why: str = computed(
        WHY, "why", "Why now, in the caller's language; how long ago things were is counted when it is read."
    )
    talking_points: list[TalkingPoint] = computed(TALKING, "talking_points", "What may and may not be said.")
    priority: float = column("priority", "Expected value of the call; higher first.")
    not_before: datetime = column("not_before", "Not due before (business clock).")
    expires_at: datetime = column("expires_at", "Pointless after (business clock).")
    attempts: int = column("attempts", "Attempts so far.")
    max_attempts: int = column("max_attempts", "Attempts allowed.")
    is_mine: bool = expression(_is_mine, "Whether the caller holds it now.")
    lease_holder: str | None = expression(HOLDER, "Who holds it now.")
    lease_until: datetime | None = column("lease_until", "Until when it is held (real clock).")
    fence: int = column("fence", "Grows with each lease; renewing, releasing and logging name the one they took.")
    release_reason: str | None = column("release_reason", "Why it was given back last.")
    disposition: Disposition | None = column("disposition", "What came of the last attempt.")
    created_at: datetime = column("created_at", "When it was made (business clock).")
    closed_at: datetime | None = column("closed_at", "When it ended (business clock).")
    version: int = column("version", "Grows with every change.")
    outcomes: list[CallbackOutcome] = relation(
        "Attempts, first attempt first.", on={"task_id": "id"}, order="{t}.attempt, {t}.id", first=10
    )
    owner: Staff | None = relation("Who goes first.", on={"id": "owner_id"})
    store: Store | None = relation("Whose advisors go next; without both it is everybody's.", on={"id": "store_id"})
    baby: Baby | None = relation("About which child.", on={"id": "baby_id"})
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "Whom to call; null until the caller takes it, where she is outside the caller's scope.", on={"id": "member_id"}
    )
