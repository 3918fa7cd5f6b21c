"""One timeline of every touch."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import strawberry

from api.projection import UNIONS, Ask, Union
from api.schema.care.interactions import Interaction
from api.schema.commerce.orders import Order, OrderReturn
from api.schema.gateway.messages import Message

TimelineEntry = Annotated[
    Interaction | Order | OrderReturn | Message,
    strawberry.union("TimelineEntry", description="A touch of any kind on the timeline."),
]
UNIONS["TimelineEntry"] = Union(
    table="timeline",
    kind="entry",
    arms={"INTERACTION": "Interaction", "ORDER": "Order", "RETURN": "OrderReturn", "MESSAGE": "Message"},
    implied_by={"Member": (("member_id", "id"),)},
    # Returns are found by their orders and sorted: a member has few, and their table does not name her.
    beneath={
        "interactions": {"at": "occurred_at"},
        "orders": {"at": "ordered_at"},
        "messages": {"at": "created_at"},
    },
    chosen_by="kinds",
)


@strawberry.enum(
    description="Kinds of entries on the timeline. INTERACTION is every word: visits, calls, questions and so on."
)
class TimelineKind(StrEnum):
    INTERACTION = "INTERACTION"
    ORDER = "ORDER"
    RETURN = "RETURN"
    MESSAGE = "MESSAGE"
    VISIT = "VISIT"
    CALL = "CALL"
    CHAT = "CHAT"
    REPLY = "REPLY"
    QUESTION = "QUESTION"
    NOTE = "NOTE"
    REVIEW = "REVIEW"
    CLASS = "CLASS"


@strawberry.enum(
    description="On which way: channels of words and messages, and where orders are placed; a return has its order's."
)
class TimelineChannel(StrEnum):
    SMS = "SMS"
    EMAIL = "EMAIL"
    CALL = "CALL"
    WECHAT = "WECHAT"
    WECOM = "WECOM"
    PUSH = "PUSH"
    POS_PROMPT = "POS_PROMPT"
    DIRECT_MAIL = "DIRECT_MAIL"
    STORE = "STORE"
    POS = "POS"
    MALL = "MALL"
    MARKETPLACE = "MARKETPLACE"
    MINI_PROGRAM = "MINI_PROGRAM"
    CALL_CENTRE = "CALL_CENTRE"


@strawberry.enum(description="Whether her questions have been answered.")
class QuestionState(StrEnum):
    OPEN = "OPEN"
    ANSWERED = "ANSWERED"


def narrowed(
    ask: Ask,
    alias: str,
    kinds: Annotated[
        list[TimelineKind] | None,
        strawberry.argument(description="Only these kinds; left out: all."),
    ] = None,
    channels: Annotated[
        list[TimelineChannel] | None,
        strawberry.argument(description="Only on these ways; left out: all."),
    ] = None,
    since: Annotated[
        datetime | None, strawberry.argument(description="Only at that moment or later (business clock).")
    ] = None,
    until: Annotated[
        datetime | None, strawberry.argument(description="Only before that moment (business clock).")
    ] = None,
    questions: Annotated[
        QuestionState | None,
        strawberry.argument(description="Only where she asked something that is still open, or has been answered."),
    ] = None,
) -> list[str]:
    found = []
    if kinds is not None:
        names = [kind.value for kind in kinds]
        timeline = UNIONS["TimelineEntry"]
        finer = [name for name in names if name not in timeline.arms]
        entries = [entry for entry in timeline.arms if entry in names or (finer and entry == "INTERACTION")]
        found.append(timeline.only(alias, entries))
        if finer:
            wanted = ask(names, "text[]")
            found.append(f"({alias}.entry = ANY({wanted}) OR {alias}.kind = ANY({wanted}))")
    if channels is not None:
        found.append(f"{alias}.channel = ANY({ask([channel.value for channel in channels], 'text[]')})")
    if since is not None:
        found.append(f"{alias}.at >= {ask(since, 'timestamptz')}")
    if until is not None:
        found.append(f"{alias}.at < {ask(until, 'timestamptz')}")
    if questions is not None:
        is_there = "IS NULL" if questions is QuestionState.OPEN else "IS NOT NULL"
        asked = ask.alias()
        found.append(
            f"({alias}.entry = 'INTERACTION' AND EXISTS (SELECT FROM questions {asked} "
            f"WHERE {asked}.interaction_id = {alias}.id AND {asked}.answered_at {is_there}))"
        )
    return found
