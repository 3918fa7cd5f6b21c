"""Showing a contact in full: what masks are for is written down, one audit row a look."""

from dataclasses import dataclass
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.identities import IdentityKind
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Permission

REVEALED_KINDS = (IdentityKind.PHONE, IdentityKind.EMAIL, IdentityKind.CARD)


@dataclass(frozen=True, slots=True)
class Revealed:
    """Contacts of one kind in full, the first to use first."""

    kind: IdentityKind
    values: tuple[str, ...]


async def reveal(
    actor: Actor, member_id: UUID, kind: IdentityKind
) -> Revealed | MemberNotFound | NotPermitted | ValidationError:
    """A member's contacts of one kind in full, for those who may; written to the audit before it is answered."""
    if not actor.may(Permission.REVEAL_CONTACTS):
        return NotPermitted(Permission.REVEAL_CONTACTS)
    if kind not in REVEALED_KINDS:
        return ValidationError.of("kind", "PHONE, EMAIL or CARD.", "只能是PHONE、EMAIL或CARD。")
    async with in_transaction():
        if not await is_in_scope(actor, member_id) or (actor.member_id not in (None, member_id)):
            return MemberNotFound()
        rows = await connection().execute_query_dict(
            "SELECT value FROM identities WHERE member_id = $1 AND kind = $2 "
            "ORDER BY verified_at IS NULL, is_primary DESC, last_seen_at DESC, id",
            [member_id, kind.value],
        )
        await connection().execute_query(
            "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
            "VALUES ($1, $2, 'reveal_contact', $3, jsonb_build_object('kind', $4::text))",
            [actor.id, actor.role.value, [member_id], kind.value],
        )
    return Revealed(kind, tuple(row["value"] for row in rows))
