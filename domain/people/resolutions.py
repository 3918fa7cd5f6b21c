"""Resolutions: which one member the identities that a channel knows mean; found, or made, exactly once.

A batch is what one after the other would be. An identity of one person only (a card, a unionid) names her; a phone or
an e-mail address finds who holds it first, and alone never makes two people one. What contradicts itself is suggested
for a merge, or merged at once where its issuer vouches for all of it together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
from tortoise.transactions import in_transaction

from domain.people import merge_suggestions, merges
from domain.people.failures import MemberNotFound
from domain.people.identity_blocks import BLOCKING, BlockReason, flaw_of, is_test_value, standing_blocks
from domain.people.merges import MergeHow
from domain.people.registrations import normalise
from domain.people.resolution_plans import SEEN_EVERY, Known, LeftOut, Plan, SortedOut, Wish, plan_of
from domain.people.resolution_rows import held, known_of, lock_members, write
from domain.platform.actors import Actor
from domain.platform.clock import business_now
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.roles import Permission

MOST_TRIES = 50  # each lost race means that somebody else's resolution went through
SUGGESTED_CONFIDENCE = {True: 0.7, False: 0.4}
"""Of identities that are one person's each; of a shared phone or e-mail address."""


@dataclass(frozen=True, slots=True)
class MemberResolved:
    member_id: UUID
    is_new: bool
    left_out: tuple[LeftOut, ...]  # identities that were not kept, and why
    merged: int  # members who became part of her because of this
    suggested: int  # pairs that wait for a person's look


@dataclass(frozen=True, slots=True)
class NothingToGoBy:
    """Every identity given names nobody: blocked, in quarantine, or a device's. Give another."""

    left_out: tuple[LeftOut, ...]


Outcome = MemberResolved | NothingToGoBy | MemberNotFound


async def resolve(
    actor: Actor, wish: Wish, *, phone_region: str
) -> MemberResolved | NothingToGoBy | MemberNotFound | NotPermitted | ValidationError:
    """One member for what is known of her, found or made; however many ask at once, constraints decide who is first.

    Nobody is found whom the actor may not see.
    """
    if not actor.may(Permission.WRITE_MEMBERS):
        return NotPermitted(Permission.WRITE_MEMBERS)
    # what tills write where they know nothing is no mistake of this caller: it is left out, not refused
    nothing = {one for one in wish.identities if flaw_of(one.kind, one.value.strip(), is_synthetic=True) is not None}
    said = tuple(one for one in wish.identities if one not in nothing)
    identities, flaws = normalise(said, phone_region) if said or not nothing else ([], [])
    if len(wish.verified_by) > 64:
        flaws.append(FieldError("verifiedBy", "At most 64 characters.", "最多64个字符。"))
    if flaws:
        return ValidationError(tuple(flaws))
    outcome = (await resolve_all(actor, [replace(wish, identities=tuple(identities))]))[0]
    if nothing and not isinstance(outcome, MemberNotFound):
        more = tuple(LeftOut(one.kind, BlockReason.PLACEHOLDER.value) for one in wish.identities if one in nothing)
        return replace(outcome, left_out=(*more, *outcome.left_out))
    return outcome


async def resolve_all(actor: Actor, wishes: Sequence[Wish]) -> list[Outcome]:
    """An outcome a wish, in their order; the identities are normalised already. A dozen statements whatever the size.

    One transaction up to each merge or quarantine: who comes after it must meet what came of it. Meant for up to 2,000
    wishes a call.
    """
    outcomes: list[Outcome] = []
    tries = 0
    while len(outcomes) < len(wishes):
        try:
            async with in_transaction():
                outcomes += await _resolve(actor, wishes[len(outcomes) :])
            tries = 0
        except (merges.MovedOn, asyncpg.DeadlockDetectedError):  # a name that two make at once while one holds a member
            tries += 1
            if tries == MOST_TRIES:
                raise
    return outcomes


async def _usable(wishes: Sequence[Wish]) -> list[SortedOut]:
    blocks = await standing_blocks((one.kind, one.value) for wish in wishes for one in wish.identities)
    found = []
    for wish in wishes:
        if not blocks and not any(flaw_of(x.kind, x.value, is_synthetic=wish.is_synthetic) for x in wish.identities):
            found.append(SortedOut(wish.identities))  # most
            continue
        naming, evidence, left_out = [], [], []
        for one in wish.identities:
            block = blocks.get((one.kind, one.value))
            reason = block if block in BLOCKING else flaw_of(one.kind, one.value, is_synthetic=wish.is_synthetic)
            if reason is not None:
                left_out.append(LeftOut(one.kind, reason.value))
            elif block is BlockReason.SHARED:
                evidence.append(one)
            else:
                naming.append(one)
        found.append(SortedOut(tuple(naming), tuple(evidence), tuple(left_out)))
    return found


async def _resolve(actor: Actor, wishes: Sequence[Wish]) -> list[Outcome]:
    """The outcomes of the first wishes, up to one that merges or puts a phone into quarantine."""
    sorted_out = await _usable(wishes)
    keys = list(dict.fromkeys(one for wish in sorted_out for one in (*wish.naming, *wish.evidence)))
    now = await business_now()
    rows = await held(keys, now - SEEN_EVERY)
    known = await known_of(actor, keys, rows, sorted_out)
    plan = _planned(known, wishes, sorted_out)
    touched, leaving = plan.touched()
    if touched:
        if leaving:
            await merges.lock(touched, leaving)
        else:
            await lock_members(touched)
        if await held(keys, now - SEEN_EVERY) != rows:
            raise merges.MovedOn
    await write(actor, plan, now, is_test_value)
    merged, suggested = await _settle(actor, plan)
    return [_outcome(plan, n, one.left_out, merged, suggested) for n, one in enumerate(sorted_out[: len(plan.persons)])]


def _planned(known: Known, wishes: Sequence[Wish], sorted_out: list[SortedOut]) -> Plan:
    plan = Plan(known)
    for wish, one in zip(wishes, sorted_out, strict=True):
        plan_of(plan, wish, one)
        if plan.is_over:
            break
    return plan


async def _settle(actor: Actor, plan: Plan) -> tuple[dict[int, int], dict[int, int]]:
    """Merge what was vouched for, suggest the rest; how many of each by wish."""
    merged: dict[int, int] = {}
    suggested: dict[int, int] = {}
    for doubt in plan.doubts:
        one, other = plan.who(doubt.person), plan.who(doubt.other)
        if one == other:
            continue
        evidence = [{"code": doubt.code, "kinds": list(doubt.kinds), "verified_by": doubt.verified_by}]
        if doubt.is_proof and await merge_suggestions.kept_apart(one, other) is None:
            await merges.join(actor, one, other, MergeHow.AUTOMATIC, evidence=evidence)
            plan.became[other] = one
            merged[doubt.wish] = merged.get(doubt.wish, 0) + 1
            continue
        await merge_suggestions.suggest(one, other, evidence, SUGGESTED_CONFIDENCE[doubt.code == "GIVEN_TOGETHER"])
        suggested[doubt.wish] = suggested.get(doubt.wish, 0) + 1
    return merged, suggested


def _outcome(
    plan: Plan, n: int, left_out: tuple[LeftOut, ...], merged: dict[int, int], suggested: dict[int, int]
) -> Outcome:
    person = plan.persons[n]
    if person is None:
        return MemberNotFound() if n in plan.hidden else NothingToGoBy(left_out)
    return MemberResolved(
        plan.who(person), n in plan.made_by, (*left_out, *plan.too_many.get(n, ())), merged.get(n, 0),
        suggested.get(n, 0),
    )  # fmt: skip
