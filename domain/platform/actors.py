"""Actors: who is asking, in the words that verbs and statements need. Built at the edge, passed in."""

from dataclasses import dataclass, field
from uuid import UUID

from domain.commerce.staff import RowScope
from domain.platform.roles import Permission, Role


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a service or a member with her rights; `id` names her in audit rows and idempotency keys.

    Staff see by `scope`; a service sees all members but only one at a time; a member sees her own household.
    """

    id: UUID  # account, or member for a member token, or token for a service
    role: Role
    scope: RowScope = RowScope.OWN
    account_id: UUID | None = None
    staff_id: UUID | None = None
    store_id: UUID | None = None
    distributor_id: UUID | None = None
    member_id: UUID | None = None
    household_id: UUID | None = None
    token_id: UUID | None = None
    permissions: frozenset[Permission] = field(default=frozenset())
    makes_up: bool = False  # the demo's own hand: whatever it says of people is SYNTHETIC

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def is_staff(self) -> bool:
        return self.role not in (Role.FRONTEND, Role.MEMBER)
