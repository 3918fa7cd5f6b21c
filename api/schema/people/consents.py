"""Consents: what she said, and what of it is in force."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, expression, identifier, projected, relation
from api.schema.nodes import Node
from api.schema.scopes import OF_MEMBER
from domain.people.consents import ConsentState
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose, Source

if TYPE_CHECKING:
    from api.schema.commerce.stores import Store
    from api.schema.people.babies import Baby

IN_FORCE = "EXISTS (SELECT 1 FROM consents_in_force f WHERE f.consent_id = {t}.id)"
WHAT_IS_IN_FORCE = """(
    SELECT f.consent_id AS id, f.member_id, f.purpose, f.channel, f.baby_id, f.state, f.given_at,
        c.source, c.how, c.text_version, c.text_hash, c.store_id
    FROM consents_in_force f LEFT JOIN consents c ON c.id = f.consent_id
)"""
"""As `consents`: nearly always what the summary knows is all that is asked for, and the join falls away."""
BY_SAYING = (("given_at", "DESC", "timestamptz"), ("id", "DESC", "uuid"))


@projected(
    table="consents",
    scope=OF_MEMBER,
    permission=Permission.READ_MEMBERS,
    description="What a member allowed or withdrew for a purpose and channel, in general or about one baby. No row is "
    "no consent; `proveConsent` writes the proof of one.",
)
class Consent(Node):
    id: strawberry.ID = identifier()
    purpose: Purpose = column("purpose", "What for.")
    channel: Channel = column("channel", "On which way.")
    state: ConsentState = column("state", "What she said.")
    is_in_force: bool = expression(IN_FORCE, "Whether she said nothing later of the same purpose, channel and baby.")
    given_at: datetime = column("given_at", "When (business clock).")
    source: Source = column("source", "Who said so.")
    how: str = column("how", "Where it was said: store_form, call, mini_program, sms_reply, ...")
    text_version: str = column("text_version", "Which wording she saw; empty in withdrawals, which need none.")
    text_hash: str = column("text_hash", "SHA-256 of that wording, in hex.")
    store: Annotated["Store", strawberry.lazy("api.schema.commerce.stores")] | None = relation(
        "In which store, if in one.", on={"id": "store_id"}
    )
    baby: Annotated["Baby", strawberry.lazy("api.schema.people.babies")] | None = relation(
        "The baby that it concerns; null: all that we say to her.", on={"id": "baby_id"}
    )
