"""Plans of resolutions: who is meant, found or new, worked out one after the other in memory. Pure."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from domain.people.identities import PRIORITY, SHAREABLE, IdentityKind
from domain.people.identity_blocks import SHARED_BY, limit
from domain.people.registrations import GivenIdentity
from domain.platform.ids import new_id
from domain.platform.sources import Channel

SEEN_EVERY = timedelta(hours=1)
"""Last seen is kept to the hour: a customer at a till does not rewrite her rows with every word."""
FINDING = (IdentityKind.PHONE, IdentityKind.EMAIL)
"""Shared kinds by which somebody is found at all; a device finds nobody."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a channel knows of somebody. `verified_by` names the issuer who vouches for all of it together."""

    identities: tuple[GivenIdentity, ...]
    verified_by: str = ""
    is_synthetic: bool = False
    full_name: str | None = None
    language: str = "en"
    jurisdiction: str = "US"
    time_zone: str = "UTC"
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An identity that was not kept: blocked for a reason, or LIMIT, when she has as many of the kind as one may."""

    kind: IdentityKind
    reason: str


@dataclass(frozen=True, slots=True)
class SortedOut:
    """The identities of a wish: what names her, what is kept as evidence only, what is not kept."""

    naming: tuple[GivenIdentity, ...]
    evidence: tuple[GivenIdentity, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


class Row(NamedTuple):
    """An identity as it stands."""

    id: UUID
    member_id: UUID
    is_primary: bool
    is_verified: bool
    is_stale: bool  # last seen some time ago


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says of the identities asked for, and of who holds them.

    Most wishes are plain: all that is given is one standing member's own and nobody else's. Of those nothing else is
    worked out.
    """

    plain: list[tuple[Row, ...]]  # by wish; empty: not plain
    rows: dict[GivenIdentity, list[Row]]  # of the other wishes
    counts: dict[tuple[UUID, IdentityKind, str], int]  # how many a member has of a kind and issuer
    hidden: frozenset[UUID]  # holders whom the actor may not see
    gone: frozenset[UUID]  # holders who were erased: their identities name nobody


@dataclass(slots=True, eq=False)
class Person:
    """Somebody who stands, or is to be made."""

    id: UUID
    wish: Wish | None = None  # of a new one: who asked first


@dataclass(frozen=True, slots=True)
class Doubt:
    """Two persons who may be one: that identities of both came together, or that they share a phone."""

    wish: int
    person: Person
    other: Person
    code: str
    kinds: tuple[str, ...]
    verified_by: str

    @property
    def is_proof(self) -> bool:
        return self.code == "GIVEN_TOGETHER" and bool(self.verified_by)


@dataclass(frozen=True, slots=True)
class Added:
    person: Person
    identity: GivenIdentity
    is_primary: bool
    wish: Wish


@dataclass(slots=True)
class Plan:
    known: Known
    persons: list[Person | None] = field(default_factory=list)  # by wish
    made_by: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    too_many: dict[int, list[LeftOut]] = field(default_factory=dict)
    added: list[Added] = field(default_factory=list)
    seen: set[UUID] = field(default_factory=set)  # identities that were not seen for some time
    verified: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)  # by identity: whose, and who verified it now
    doubts: list[Doubt] = field(default_factory=list)
    is_over: bool = False  # what follows depends on a merge or a quarantine: write this first
    became: dict[UUID, UUID] = field(default_factory=dict)  # merged meanwhile
    holders: dict[GivenIdentity, Person] = field(default_factory=dict)  # primary ones
    standing: dict[UUID, Person] = field(default_factory=dict)
    given: set[tuple[UUID, GivenIdentity]] = field(default_factory=set)
    holding: dict[GivenIdentity, int] = field(default_factory=dict)  # how many hold a phone
    counts: dict[tuple[UUID, IdentityKind], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for identity, rows in self.known.rows.items():
            for row in rows:
                if row.is_primary and row.member_id not in self.known.gone:
                    self.holders[identity] = self.stands(row.member_id)
        for (member, kind, _), count in self.known.counts.items():
            self.counts[member, kind] = self.counts.get((member, kind), 0) + count

    def stands(self, member_id: UUID) -> Person:
        found = self.standing.get(member_id)
        if found is None:
            found = self.standing[member_id] = Person(member_id)
        return found

    def who(self, person: Person) -> UUID:
        """Who she is now, after merges of this plan."""
        found = person.id
        while found in self.became:
            found = self.became[found]
        return found

    def touched(self) -> tuple[list[UUID], list[UUID]]:
        """The standing members whose rows change, and of those who may be merged away."""
        changed = {added.person.id for added in self.added if added.person.wish is None}
        changed |= {member for member, _ in self.verified.values()}
        # a suggestion names both, and its foreign keys wait for a merge as any lock does: they are taken in order too
        doubted = {one.id for doubt in self.doubts for one in (doubt.person, doubt.other) if one.wish is None}
        proofs = [doubt for doubt in self.doubts if doubt.is_proof]
        pairs = {person.id for doubt in proofs for person in (doubt.person, doubt.other) if person.wish is None}
        return sorted(changed | doubted), sorted(pairs)


def plan_of(plan: Plan, wish: Wish, sorted_out: SortedOut) -> None:
    """Say who the next wish means, and what is written for it."""
    n, naming = len(plan.persons), sorted_out.naming
    plain = plan.known.plain[n]
    if plain:
        for row in plain:
            _see(plan, wish, row)
        plan.persons.append(plan.stands(plain[0].member_id))
        return
    strong = sorted((one for one in naming if one.kind not in SHAREABLE), key=lambda one: PRIORITY[one.kind])
    weak = [one for kind in FINDING for one in naming if one.kind is kind]
    if not strong and not weak:
        plan.persons.append(None)
        return
    found = list(dict.fromkeys(plan.holders[one] for one in strong if one in plan.holders))
    reached = next((plan.holders[one] for one in weak if one in plan.holders), None)
    person = found[0] if found else _by_weak(plan, wish, strong, reached)
    if person is not None and person.id in plan.known.hidden:
        plan.persons.append(None)
        plan.hidden.add(n)
        return
    if person is None:
        person = Person(new_id(), wish)
        plan.made_by.add(n)
    plan.persons.append(person)
    kinds = tuple(sorted({one.kind.value for one in strong}))
    plan.is_over = len(found) > 1 and bool(wish.verified_by)
    for other in found[1:]:
        plan.doubts.append(Doubt(n, person, other, "GIVEN_TOGETHER", kinds, wish.verified_by))
    news = [one for one in weak if not any(row.member_id == person.id for row in plan.known.rows.get(one, ()))]
    shared = tuple(sorted({one.kind.value for one in news if plan.holders.get(one) is reached}))
    if shared and reached is not None and reached is not person and reached not in found:
        plan.doubts.append(Doubt(n, person, reached, "SHARED_CONTACT", shared, wish.verified_by))
    for one in (*strong, *(one for one in naming if one.kind in SHAREABLE)):
        _attach(plan, n, wish, person, one, may_lead=True)
    for one in sorted_out.evidence:
        _attach(plan, n, wish, person, one, may_lead=False)


def _see(plan: Plan, wish: Wish, row: Row) -> None:
    if row.is_stale:
        plan.seen.add(row.id)
    if wish.verified_by and not row.is_verified:
        plan.verified[row.id] = (row.member_id, wish.verified_by)


def _by_weak(plan: Plan, wish: Wish, strong: list[GivenIdentity], reached: Person | None) -> Person | None:
    """Who holds the phone or address. Beside a card of nobody's it means her only when both are vouched for together
    and she has no other card of that issuer: else it may be her mother's phone.
    """
    if reached is None or not strong:
        return reached
    known = plan.known.counts
    is_another = any(known.get((reached.id, one.kind, one.namespace)) for one in strong) or reached.wish is not None
    return reached if wish.verified_by and not is_another else None


def _attach(plan: Plan, n: int, wish: Wish, person: Person, identity: GivenIdentity, *, may_lead: bool) -> None:
    hers = next((row for row in plan.known.rows.get(identity, ()) if row.member_id == person.id), None)
    if hers is not None:
        _see(plan, wish, hers)
        return
    holder = plan.holders.get(identity)
    if (person.id, identity) in plan.given or (holder is not None and identity.kind not in SHAREABLE):
        return  # given in this batch already, or another's own: a doubt says so
    if any(row.member_id in plan.known.gone for row in plan.known.rows.get(identity, ()) if row.is_primary):
        return
    if plan.counts.get((person.id, identity.kind), 0) >= limit(identity.kind):
        plan.too_many.setdefault(n, []).append(LeftOut(identity.kind, "LIMIT"))
        return
    plan.counts[person.id, identity.kind] = plan.counts.get((person.id, identity.kind), 0) + 1
    plan.given.add((person.id, identity))
    is_primary = may_lead and holder is None
    if may_lead and identity.kind is IdentityKind.PHONE:
        plan.holding[identity] = plan.holding.get(identity, len(plan.known.rows.get(identity, ()))) + 1
        plan.is_over |= plan.holding[identity] > SHARED_BY
    if is_primary:
        plan.holders[identity] = person
    plan.added.append(Added(person, identity, is_primary, wish))
