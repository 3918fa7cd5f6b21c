"""Identities of a member, masked as everybody reads them."""

from datetime import datetime

from api.projection import Ask, column, masked, projected
from api.schema.scopes import OF_MEMBER
from domain.people.identities import IdentityKind
from domain.platform.roles import Permission

MASK = """CASE
    WHEN {t}.kind = 'EMAIL' THEN left({t}.value, 1) || '***' || substr({t}.value, strpos({t}.value, '@'))
    WHEN {t}.kind IN ('EXTERNAL_ID', 'POS_ID') THEN {t}.value
    ELSE '***' || right({t}.value, 4)
END"""


def is_her_own(ask: Ask, alias: str) -> str:
    """A member reads her own contacts in full; staff reveal one at a time by `revealContact`."""
    own = ask.actor.member_id
    return "FALSE" if own is None else f"{alias}.member_id = {ask(own, 'uuid')}"


@projected(
    table="identities",
    scope=OF_MEMBER,
    permission=Permission.READ_CONTACTS,
    description="A name by which a channel knows a member.",
)
class Identity:
    kind: IdentityKind = column("kind", "What kind of name.")
    namespace: str = column("namespace", "The system that issued it; empty for phone and e-mail.")
    value: str = masked(
        "value",
        "Phones, cards and accounts show their last 4 characters, e-mails their domain.",
        revealed=is_her_own,
        mask=MASK,
    )
    is_primary: bool = column("is_primary", "Whether a look-up by it answers this member.")
    is_synthetic: bool = column("is_synthetic", "Made up for the demo; no real provider may be given it.")
    verified_at: datetime | None = column("verified_at", "When it was verified (real clock); null: never.")
    first_seen_at: datetime = column("first_seen_at", "When it was seen first (business clock).")
    last_seen_at: datetime = column("last_seen_at", "When it was seen last (business clock).")
