"""Feeding profiles: what is written down, when, and what is refused with how to mend it."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.people.babies import Baby, BabyAdded, BabyFacts, BabyStopped, Feeding, add
from domain.people.consents import ConsentState
from domain.people.failures import BabyNotFound
from domain.people.feeding import FeedingFacts, FeedingReported, report
from domain.people.guardians import GuardianConsentNeeded
from domain.people.members import Member
from domain.platform.clock import set_business_clock
from domain.platform.failures import ValidationError
from domain.platform.ids import new_id
from domain.platform.sources import Source
from tests.factories import NOON, make_actor, make_baby, make_guardian_consent, make_member, member_actor

BORN = date(2017, 6, 3)
MIXED = FeedingFacts(
    feeding=Feeding.MIXED, since=date(2017, 9, 1), formula_brand=" Bell ", formula_stage=1, packs_at_home=3
)


async def _baby(**fields: Any) -> Baby:
    await set_business_clock(NOON)
    mother = await make_member(time_zone="Pacific/Auckland")
    baby = await make_baby(mother, **{"born_on": BORN, "born_source": "MEMBER", **fields})
    await make_guardian_consent(baby, mother)
    return baby


async def test_a_profile_is_kept_only_while_a_guardian_allows_it(db: None) -> None:
    baby, actor = await _baby(), await make_actor()
    mother = await Member.get(household_id=baby.household_id)
    assert isinstance(await report(actor, baby.id, MIXED), FeedingReported)
    await make_guardian_consent(baby, mother, state=ConsentState.WITHDRAWN, given_at=NOON)
    refused = await report(actor, baby.id, MIXED)
    assert refused == GuardianConsentNeeded(("feeding", "formula_brand", "formula_stage", "packs_at_home"))


async def test_a_profile_keeps_since_when_and_who_said_so_and_breast_forgets_the_formula(db: None) -> None:
    baby, actor = await _baby(), await make_actor()
    assert isinstance(await report(actor, baby.id, MIXED), FeedingReported)
    said = await Baby.get(id=baby.id)
    today = date(2017, 12, 16)  # where the family lives
    assert (said.feeding, said.feeding_since, said.feeding_source) == (Feeding.MIXED, MIXED.since, Source.STAFF)
    assert (said.formula_brand, said.formula_stage, said.formula_stage_since) == ("Bell", 1, today)
    assert (said.packs_at_home, said.packs_counted_on) == (3, today)
    # The same again changes no day; a new stage begins on its own.
    await report(actor, baby.id, FeedingFacts(feeding=Feeding.MIXED, formula_stage=1))
    again = await Baby.get(id=baby.id)
    assert (again.feeding_since, again.formula_stage_since) == (MIXED.since, today)
    await report(
        actor, baby.id, FeedingFacts(formula_stage=2, formula_stage_since=date(2017, 12, 3), said_by=Source.MEMBER)
    )
    switched = await Baby.get(id=baby.id)
    assert (switched.formula_stage, switched.formula_stage_since) == (2, date(2017, 12, 3))
    assert (switched.feeding_source, switched.formula_brand) == (Source.MEMBER, "Bell")
    await report(actor, baby.id, FeedingFacts(feeding=Feeding.BREAST))
    breast = await Baby.get(id=baby.id)
    assert (breast.feeding, breast.feeding_since) == (Feeding.BREAST, today)
    assert (breast.formula_brand, breast.formula_stage, breast.packs_at_home, breast.packs_counted_on) == (None,) * 4


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        (FeedingFacts(), ["feeding"]),
        (replace(MIXED, since=date(2017, 6, 2)), ["since"]),
        (replace(MIXED, formula_stage_since=date(2017, 12, 17)), ["formulaStageSince"]),
        (FeedingFacts(since=date(2017, 9, 1), packs_at_home=1), ["since"]),
        (replace(MIXED, formula_stage=5, packs_at_home=100), ["formulaStage", "packsAtHome"]),
        (replace(MIXED, formula_brand=" "), ["formulaBrand"]),
        (replace(MIXED, feeding=Feeding.BREAST), ["feeding"]),
        (replace(MIXED, said_by=Source.IMPORT), ["saidBy"]),
    ],
)
async def test_what_cannot_be_right_is_refused_by_its_field(db: None, facts: FeedingFacts, fields: list[str]) -> None:
    baby = await _baby()
    refused = await report(await make_actor(), baby.id, facts)
    assert isinstance(refused, ValidationError)
    assert [flaw.field for flaw in refused.errors] == fields
    assert (await Baby.get(id=baby.id)).version == baby.version


async def test_only_a_born_baby_of_hers_whose_content_goes_on_has_a_profile(db: None) -> None:
    actor = await make_actor()
    unborn = await _baby(born_on=None, born_source=None, due_on=date(2018, 3, 1), due_source="MEMBER")
    refused = await report(actor, unborn.id, FeedingFacts(packs_at_home=1))
    assert isinstance(refused, ValidationError)
    stopped = await _baby(stopped_at=NOON)
    assert await report(actor, stopped.id, MIXED) == BabyStopped()
    assert await report(actor, new_id(), MIXED) == BabyNotFound()
    assert await report(member_actor(await make_member()), (await _baby()).id, MIXED) == BabyNotFound()


async def test_an_adopted_child_comes_home_after_her_birth(db: None) -> None:
    await set_business_clock(NOON)
    mother, actor = await make_member(), await make_actor()
    facts = BabyFacts(born_on=date(2016, 2, 29), adopted_on=date(2017, 11, 1))
    added = await add(actor, mother.id, facts)
    assert isinstance(added, BabyAdded)
    assert (await Baby.get(id=added.baby_id)).adopted_on == date(2017, 11, 1)
    for wrong in (replace(facts, adopted_on=date(2016, 2, 28)), replace(facts, adopted_on=date(2018, 1, 1)),
                  replace(facts, born_on=None, due_on=date(2018, 1, 1))):  # fmt: skip
        refused = await add(actor, mother.id, wrong)
        assert isinstance(refused, ValidationError)
        assert [flaw.field for flaw in refused.errors] == ["adoptedOn"]
