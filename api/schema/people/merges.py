"""Merges and who may be merged: what became of whom, pairs that wait for a look, and values that name nobody."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import Ask, Scope, column, expression, identifier, masked, projected, relation
from api.schema.nodes import Node
from api.schema.people.identities import MASK
from api.schema.scopes import member_is_visible
from domain.people.identities import IdentityKind
from domain.people.identity_blocks import BlockReason
from domain.people.merge_suggestions import SuggestionState
from domain.people.merges import MergeHow
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from api.schema.people.members import Member

# Who was merged away leads to her who carries everything now, also after later merges.
STANDING = (
    "(SELECT g.id, g.how, g.reason, g.merged_at, g.absorbed_id, away.merged_into_id FROM merges g "
    "JOIN members away ON away.id = g.absorbed_id WHERE g.unmerged_at IS NULL)"
)


@projected(
    table=STANDING,
    made_of=("merges", "members"),
    scope=Scope(
        lambda ask, alias: member_is_visible(ask, f"{alias}.merged_into_id"),
        implied_by={"Member": (("merged_into_id", "id"),)},
    ),
    permission=Permission.READ_MEMBERS,
    description="That somebody became part of a member: they were one person. It can be taken back to the byte.",
)
class Merge(Node):
    id: strawberry.ID = identifier()
    how: MergeHow = column("how", "Who decided.")
    reason: str | None = column("reason", "Why, in the words of who did it.", Permission.READ_TAGS)
    merged_at: datetime = column("merged_at", "When (real clock).")
    former_id: strawberry.ID = expression("'Member:' || {t}.absorbed_id", "The id that leads to her since.")


def _both_are_visible(ask: Ask, alias: str) -> str:
    return f"{member_is_visible(ask, f'{alias}.one_id')} AND {member_is_visible(ask, f'{alias}.other_id')}"


def _told(name: str) -> str:
    return (
        f"(SELECT coalesce(jsonb_agg(DISTINCT e ->> '{name}'), '[]') FROM jsonb_array_elements({{t}}.evidence) e)"
        if name == "code"
        else "(SELECT coalesce(jsonb_agg(DISTINCT k), '[]') FROM jsonb_array_elements({t}.evidence) e, "
        f"jsonb_array_elements_text(e -> '{name}') k)"
    )


def _last_merge(name: str) -> str:
    """Of the latest time that the two were one; undone ones count."""
    return (
        f"(SELECT g.{name} FROM merges g WHERE g.survivor_id IN ({{t}}.one_id, {{t}}.other_id) "
        "AND g.absorbed_id IN ({t}.one_id, {t}.other_id) ORDER BY g.merged_at DESC, g.id DESC LIMIT 1)"
    )


@projected(
    table="merge_suggestions",
    scope=Scope(_both_are_visible),
    permission=Permission.MERGE_MEMBERS,
    description="Two members who may be one person, with why; or of whom somebody said that they are two.",
)
class MergeSuggestion(Node):
    id: strawberry.ID = identifier()
    state: SuggestionState = column("state", "OPEN waits for a look; NEVER binds everybody.")
    confidence: float = column("confidence", "How likely it is that they are one, in [0, 1].")
    reasons: list[str] = expression(
        _told("code"),
        "Why: GIVEN_TOGETHER (names of one person each), SHARED_CONTACT (a phone or an e-mail address), "
        "SAME_NAME_AND_EMAIL, SAME_NAME_AND_PHONE, SAME_NAME_AND_BABY (a child born on one day, and the same store).",
    )
    kinds: list[str] = expression(_told("kinds"), "Kinds of the identities that say so.")
    suggested_at: datetime = column("suggested_at", "Since when (real clock).")
    merged_at: datetime | None = expression(
        _last_merge("merged_at"), "When the two were merged last (real clock); null: never."
    )
    merge_reason: str | None = expression(_last_merge("reason"), "Why, in the words of who merged them.")
    unmerged_at: datetime | None = expression(
        _last_merge("unmerged_at"), "When that was taken back (real clock); null: it was not."
    )
    unmerge_reason: str | None = expression(_last_merge("unmerge_reason"), "Why, in the words of who took it back.")
    one: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "The elder row.", on={"id": "one_id"}
    )
    other: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "The younger row.", on={"id": "other_id"}
    )


@projected(
    table="identity_blocks",
    scope=None,
    permission=Permission.MERGE_MEMBERS,
    description="A value that names nobody: blocked by hand, or (SHARED) a phone in quarantine that too many gave.",
)
class IdentityBlock(Node):
    id: strawberry.ID = identifier()
    kind: IdentityKind = column("kind", "What kind of name.")
    value: str = masked("value", "Its last 4 characters.", revealed=lambda _ask, _alias: "FALSE", mask=MASK)
    reason: BlockReason = column("reason", "Why.")
    members: int = column("members", "How many members held it when it was blocked.")
    note: str = column("note", "In the words of who blocked it.")
    blocked_at: datetime = column("blocked_at", "Since when (real clock).")
    lifted_at: datetime | None = column("lifted_at", "Until when (real clock); null: it is in force.")
