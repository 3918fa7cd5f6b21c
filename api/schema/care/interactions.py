"""Interactions: every word between us and a member."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, expression, identifier, projected, relation
from api.schema.care.questions import Question
from api.schema.commerce.staff import Staff
from api.schema.commerce.stores import Store
from api.schema.nodes import Node
from api.schema.people.babies import Baby
from api.schema.scopes import OF_MEMBER
from domain.care.interactions import Direction, InteractionKind, Mood
from domain.care.promises import STATE as PROMISE_STATE
from domain.care.promises import PromiseState
from domain.platform.roles import Permission
from domain.platform.sources import Channel

if TYPE_CHECKING:
    from api.schema.care.callbacks import CallbackTask
    from api.schema.people.members import Member


@projected(
    table="interactions",
    scope=OF_MEMBER,
    permission=Permission.READ_INTERACTIONS,
    description="A visit, call, chat, reply, question or note.",
)
class Interaction(Node):
    id: strawberry.ID = identifier()
    kind: InteractionKind = column("kind", "What kind of word.")
    channel: Channel = column("channel", "On which way.")
    direction: Direction = column("direction", "Who spoke.")
    occurred_at: datetime = column("occurred_at", "When (business clock).")
    recorded_at: datetime = column("recorded_at", "When it was written down (real clock).")
    topic: str = column("topic", "What about, in a word or two.")
    note: str = column("note", "What was said.")
    mood: Mood | None = column("mood", "How she was, as whoever spoke with her felt it.")
    questions: list[Question] = relation(
        "What she asked, in her order.", on={"interaction_id": "id"}, order="{t}.place, {t}.id", first=10
    )
    promise: str = column("promise", "What was promised to her; empty: nothing in words.")
    promised_for: datetime | None = column("promised_for", "When she is to be called (business clock).")
    promise_state: PromiseState | None = expression(PROMISE_STATE, "What became of the promise.")
    promise_task: Annotated["CallbackTask", strawberry.lazy("api.schema.care.callbacks")] | None = relation(
        "The call-back that keeps the promise.", on={"id": "promise_task_id"}
    )
    source: str = column("source", "Where it was written: desk, store, sms, import, synthetic.")
    external_id: str = column("external_id", "The source's own id for it.")
    is_synthetic: bool = column("is_synthetic", "Made up for the demo.")
    staff: Staff | None = relation("Who spoke with her.", on={"id": "staff_id"})
    store: Store | None = relation("Where.", on={"id": "store_id"})
    baby: Baby | None = relation("About which child.", on={"id": "baby_id"})
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "With whom.", on={"id": "member_id"}
    )
