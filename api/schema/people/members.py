"""The unified profile: one member with everything that is known of her family."""

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import Audit, column, computed, connection, expression, identifier, projected, relation
from api.projection.pages import Connection
from api.schema.care.questions import Question
from api.schema.care.timeline import TimelineEntry, narrowed
from api.schema.insight.scores import Score
from api.schema.nodes import Node
from api.schema.people.babies import Baby
from api.schema.people.consents import BY_SAYING, WHAT_IS_IN_FORCE, Consent
from api.schema.people.identities import MASK, Identity, is_her_own
from api.schema.people.merges import Merge
from api.schema.people.owners import OwnerAssignment
from api.schema.people.provenance import OF_MEMBER, Provenance
from api.schema.people.tags import IN_FORCE as TAG_IN_FORCE
from api.schema.people.tags import Tag
from api.schema.scopes import MEMBERS
from domain.people.members import CarerRole, MemberStatus
from domain.platform.roles import Permission, Role
from domain.platform.sources import Channel, Source

if TYPE_CHECKING:
    from api.projection import Ask
    from api.schema.care.callbacks import CallbackTask
    from api.schema.commerce.orders import Order
    from api.schema.commerce.staff import Staff
    from api.schema.commerce.stores import Store
    from api.schema.gateway.messages import Message
    from api.schema.people.households import Household

BY_TIME = (("created_at", "DESC", "timestamptz"), ("id", "DESC", "uuid"))


def _contact(kind: str) -> "Callable[[Ask, str], str]":
    """Her first contact of a kind, masked as the identity itself is."""

    def sql(ask: "Ask", alias: str) -> str:
        contact = ask.alias()
        shown = f"CASE WHEN {is_her_own(ask, contact)} THEN {contact}.value ELSE {MASK.replace('{t}', contact)} END"
        return (
            f"(SELECT {shown} FROM identities {contact} WHERE {contact}.member_id = {alias}.id "
            f"AND {contact}.kind = '{kind}' ORDER BY {contact}.is_primary DESC, {contact}.last_seen_at DESC LIMIT 1)"
        )

    return sql


@projected(
    table="members",
    scope=MEMBERS,
    permission=Permission.READ_MEMBERS,
    description="A carer: the unified profile over every channel.",
    audit=Audit("id", of=lambda actor: actor.role is Role.FRONTEND),
)
class Member(Node):
    id: strawberry.ID = identifier()
    status: MemberStatus = column("status", "Whether she is served.")
    carer_role: CarerRole = column("carer_role", "Who she is to the baby.")
    name: str | None = column("full_name", "Her name as she gave it.")
    name_source: Source | None = column("name_source", "Who told the name.")
    phone: str | None = expression(
        _contact("PHONE"), "Her first phone, last 4 digits shown; in full by `revealContact`.", Permission.READ_CONTACTS
    )
    email: str | None = expression(
        _contact("EMAIL"),
        "Her first e-mail address, domain shown; in full by `revealContact`.",
        Permission.READ_CONTACTS,
    )
    language: str = column("language", "What she reads: BCP 47, en or zh-Hans.")
    jurisdiction: str = column("jurisdiction", "Whose law binds contact with her: ISO 3166.")
    time_zone: str = column("time_zone", "Her IANA time zone: quiet hours are hers.")
    source: str = column("source", "The system she came from.")
    external_id: str = column("external_id", "That system's own id for her.")
    joined_on: date = column("joined_on", "Business day on which she joined.")
    joined_channel: Channel | None = column("joined_channel", "The way on which she joined.")
    joined_campaign: str | None = column("joined_campaign", "The campaign that brought her.")
    former_ids: list[strawberry.ID] = expression(
        "(SELECT coalesce(jsonb_agg('Member:' || away.id ORDER BY away.id), '[]') FROM members away "
        "WHERE away.merged_into_id = {t}.id)",
        "Ids of members who became part of her: asked for by one of them, `member` and `node` answer her. Keep hers.",
    )
    handling_note: str | None = column("handling_note", "A gentle word for whoever serves her.", Permission.READ_TAGS)
    provenance: list[Provenance] = computed(
        OF_MEMBER, "provenance", "Who said her name, role, language, jurisdiction and time zone, when and how sure."
    )
    version: int = column("version", "Grows with every change; updates name the one they saw.")
    last_ordered_at: datetime | None = expression(
        "(SELECT max(o.ordered_at) FROM orders o WHERE o.member_id = {t}.id)",
        "Her latest order (business clock).",
        Permission.READ_ORDERS,
    )
    last_contact_at: datetime | None = expression(
        "(SELECT max(i.occurred_at) FROM interactions i WHERE i.member_id = {t}.id)",
        "The latest word between her and us (business clock).",
        Permission.READ_INTERACTIONS,
    )
    household: Annotated["Household", strawberry.lazy("api.schema.people.households")] = relation(
        "Her family.", on={"id": "household_id"}
    )
    babies: list[Baby] | None = relation(
        "Her household's children, first registered first.",
        on={"household_id": "household_id"},
        order="{t}.created_at, {t}.id",
        first=10,
    )
    identities: list[Identity] | None = relation(
        "Every name a channel knows her by, masked.",
        on={"member_id": "id"},
        order="{t}.is_primary DESC, {t}.kind, {t}.id",
        first=10,
    )
    merges: list[Merge] | None = relation(
        "Who became part of her, the latest first.", on={"merged_into_id": "id"}, order="{t}.merged_at DESC, {t}.id",
        first=10,
    )  # fmt: skip
    tags: list[Tag] | None = relation(
        "Tags in force, latest first.",
        on={"member_id": "id"},
        where=TAG_IN_FORCE,
        order="{t}.set_at DESC, {t}.id",
        first=20,
    )
    tag_history: Connection[Tag] | None = connection(
        "Every tag that she ever carried, latest set first; also those that ran out or were taken off.",
        key=(("set_at", "DESC", "timestamptz"), ("id", "DESC", "uuid")),
        on={"member_id": "id"},
    )
    consents: list[Consent] = relation(
        "The consent in force for each purpose and channel, in general before those about one baby.",
        on={"member_id": "id"},
        rows=WHAT_IS_IN_FORCE,
        order="{t}.purpose, {t}.channel, {t}.baby_id NULLS FIRST",
        first=24,
    )
    consent_history: Connection[Consent] = connection(
        "All that she allowed and withdrew, latest first.", key=BY_SAYING, on={"member_id": "id"}
    )
    owner: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = relation(
        "Who serves her.", on={"id": "owner_id"}
    )
    store: Annotated["Store", strawberry.lazy("api.schema.commerce.stores")] | None = relation(
        "Her store.", on={"id": "store_id"}
    )
    owner_history: list[OwnerAssignment] | None = relation(
        "Who served her and since when, latest first.",
        on={"member_id": "id"},
        order="{t}.assigned_at DESC, {t}.id DESC",
        first=10,
    )
    joined_by: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = relation(
        "Who enrolled her.", on={"id": "joined_by_id"}
    )
    recent_orders: list[Annotated["Order", strawberry.lazy("api.schema.commerce.orders")]] | None = relation(
        "Her latest orders.", on={"member_id": "id"}, order="{t}.ordered_at DESC, {t}.id DESC", first=5
    )
    orders: Connection[Annotated["Order", strawberry.lazy("api.schema.commerce.orders")]] | None = connection(
        "All her orders, latest first.",
        key=(("ordered_at", "DESC", "timestamptz"), ("id", "DESC", "uuid")),
        on={"member_id": "id"},
    )
    timeline: Connection[TimelineEntry] = connection(
        "Every touch on one line, latest first: interactions, orders, returns and messages. Kinds that the caller may "
        "not read are left out.",
        key=(("at", "DESC", "timestamptz"), ("id", "DESC", "uuid")),
        on={"member_id": "id"},
        find=narrowed,
    )
    open_questions: list[Question] | None = relation(
        "What she asked and nobody has answered, oldest first.",
        on={"member_id": "id"},
        where="{t}.answered_at IS NULL",
        order="{t}.asked_at, {t}.id",
        first=10,
    )
    messages: Connection[Annotated["Message", strawberry.lazy("api.schema.gateway.messages")]] | None = connection(
        "Messages to her, latest first.", key=BY_TIME, on={"member_id": "id"}
    )
    scores: list[Score] | None = relation(
        "What the champion models say of her, by model and rank.",
        on={"member_id": "id"},
        order="{t}.model_name, {t}.rank, {t}.id",
        first=10,
    )
    open_tasks: list[Annotated["CallbackTask", strawberry.lazy("api.schema.care.callbacks")]] | None = relation(
        "Call-backs that are open or taken, highest priority first.",
        on={"member_id": "id"},
        where="{t}.state IN ('OPEN', 'LEASED')",
        order="{t}.priority DESC, {t}.id",
        first=10,
    )
