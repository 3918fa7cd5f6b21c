"""Consents in force."""

from datetime import datetime

from api.projection import column, projected
from api.schema.scopes import OF_MEMBER
from domain.people.consents import ConsentState
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose, Source

# The latest of a purpose and channel is the one in force.
IN_FORCE = (
    "(SELECT DISTINCT ON (said.member_id, said.purpose, said.channel) said.* FROM consents said "
    "ORDER BY said.member_id, said.purpose, said.channel, said.given_at DESC, said.id DESC)"
)


@projected(
    table=IN_FORCE,
    made_of=("consents",),
    scope=OF_MEMBER,
    permission=Permission.READ_MEMBERS,
    description="What a member allowed or withdrew for a purpose and channel. No row is no consent.",
)
class Consent:
    purpose: Purpose = column("purpose", "What for.")
    channel: Channel = column("channel", "On which way.")
    state: ConsentState = column("state", "What she said.")
    given_at: datetime = column("given_at", "When (business clock).")
    source: Source = column("source", "Who said so.")
    how: str = column("how", "Where it was said: store_form, call, mini_program, sms_reply, ...")
    text_version: str = column("text_version", "Which wording she saw.")
