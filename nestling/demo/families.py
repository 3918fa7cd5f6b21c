"""The demo's made-up families: what real purchases cannot show, done by the house's own verbs; see docs/people.md.

Two babies and a grandmother on her daughter's phone; a woman known to the mall and to the till, whom a suggestion puts
before an operator; two women of one name who were merged and parted again; a baby whose loss is recorded. Cards and
phones name them, the same on every machine. They buy nothing: purchases are real here, and scores measured on them.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from tortoise.transactions import in_transaction

from domain.care.interactions import Direction, Heard, InteractionKind, InteractionLogged, Mood, Note, log
from domain.care.losses import BabyContentStopped, stop
from domain.care.redecisions import call_at
from domain.database import connection
from domain.people import consents, feeding, merges, owners, tags
from domain.people.babies import BabyAdded, BabyFacts, Feeding, Sex, add
from domain.people.consents import ConsentEvidence, ConsentState
from domain.people.identities import IdentityKind, primary_holder
from domain.people.registrations import GivenConsent, GivenIdentity, MemberRegistered, Registration, register
from domain.people.resolution_plans import Wish
from domain.people.resolutions import MemberResolved, resolve
from domain.platform import credentials
from domain.platform.actors import Actor
from domain.platform.clock import business_day, business_now
from domain.platform.sources import Channel, Purpose
from domain.stages.calendar import add_months
from nestling.demo.carers import GRACE, GRANDMOTHER, HANNAH, LI_NA, LI_NA_ONLINE, NORA, NORA_ONLINE, Carer
from nestling.demo.place import Place
from nestling.demo.steps import Work
from nestling.demo.synthetic import words
from nestling.demo.synthetic.people import TAG_KEY
from nestling.opening import NotReady
from nestling.words import counted, this_command

FAMILIES_LOCK = 0x6661_6D69  # "fami"
EVIDENCE = ConsentEvidence("synthetic", "demo-1", words.CONSENT_TEXT)
WEEKS_OF_TERM = 40
CALLED_AFTER = timedelta(minutes=5)  # whoever starts the demo takes another call first
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class House:
    """Who does it, and the day on which it is done where the stores are."""

    advisor: Actor
    consultant: Actor
    operator: Actor
    mall: Actor
    zone: str
    today: date


async def make_families(work: Work) -> dict[str, Any]:
    """All of it or nothing, once: one transaction, and who finds the first card taken does nothing."""
    house = await _house(work)
    async with in_transaction():
        await connection().execute_query("SELECT pg_advisory_xact_lock($1)", [FAMILIES_LOCK])
        if await primary_holder(IdentityKind.CARD, GRACE.card) is None:
            made = [
                *await _two_babies_and_a_grandmother(house), await _expecting(house), *await _seen_twice(house),
            ]  # fmt: skip
            for member_id in made:
                await _mark(house, member_id)
            await _merged_and_parted(house)
    work.say("two babies and a grandmother, a pair to look at, a pair that was parted, a pregnancy")
    return {}


async def record_loss(work: Work) -> dict[str, Any]:
    """What was planned for the baby is withdrawn; a call that she asked for, about her order, stays. Idempotent."""
    house = await _house(work)
    async with in_transaction():
        await connection().execute_query("SELECT pg_advisory_xact_lock($1)", [FAMILIES_LOCK])
        hannah = await primary_holder(IdentityKind.CARD, HANNAH.card)
        lost = await connection().execute_query_dict(
            "SELECT b.id FROM babies b JOIN members m ON m.household_id = b.household_id "
            "WHERE m.id = $1 AND b.stopped_at IS NULL ORDER BY b.id LIMIT 1",
            [hannah],
        )
        if hannah is None or not lost:
            work.say("it was recorded before")
            return {}
        stopped = _done(await stop(house.consultant, lost[0]["id"]), BabyContentStopped)
        soon = await _when_she_may_be_called(await business_now() + CALLED_AFTER, house)
        await _say(
            house.consultant, hannah, InteractionKind.CALL, Channel.CALL,
            "She rang to tell us. Speak of her crib order only, and do not ask.", topic="Order",
            heard=Heard(promise="Say that the money for the crib is on its way"), call_at=soon,
        )  # fmt: skip
    work.say(f"{counted(stopped.messages, 'planned message')} withdrawn")
    return {"messages": stopped.messages}


async def _house(work: Work) -> House:
    """The demo's own accounts and the mall's token; whatever they say here is made up, and every row will say so."""
    found = [await credentials.by_login(name) for name in ("advisor-1", "consultant-1", "operator-1")]
    found.append(await credentials.by_token(Place(work.settings.DATA_DIR).secrets()["tokens"]["frontend"]))
    if None in found:
        raise NotReady(
            "The demo's accounts advisor-1, consultant-1 and operator-1 make its families, and one of them is shut out "
            f"or its token gone. `{this_command()} demo reset` starts anew."
        )
    advisor, consultant, operator, mall = (replace(one.actor, makes_up=True) for one in found if one is not None)
    zone = work.settings.TIME_ZONE
    today = await business_day(zone)
    return House(advisor, consultant, operator, mall, zone, today)


async def _two_babies_and_a_grandmother(house: House) -> list[UUID]:
    """The grandmother gives the mother's phone: two members of one family; a look-up by it answers the mother."""
    grace = await _register(house, GRACE)
    grandmother = await _register(house, GRANDMOTHER, household_of=grace)
    for one in (grace, grandmother):
        _done(await owners.assign_owner(house.operator, one, house.consultant.staff_id), owners.OwnerAssigned)
    born_on = add_months(house.today, -26)
    _done(
        await add(house.advisor, grace, BabyFacts(nickname="Mia", sex=Sex.FEMALE, born_on=born_on, guardian=EVIDENCE)),
        BabyAdded,
    )
    await _born_early(house, grace)
    await _say(
        house.advisor, grandmother, InteractionKind.VISIT, Channel.STORE, "她和女儿共用一部手机，白天由她带孩子。"
    )
    return [grace, grandmother]


async def _born_early(house: House, grace: UUID) -> None:
    """Eight weeks early: vaccines by the calendar all the same, weaning and development by his corrected age."""
    vaccine_on = house.today + timedelta(days=3)
    born_on, weeks = add_months(vaccine_on, -4), 32
    facts = BabyFacts(
        nickname="Leo", sex=Sex.MALE, born_on=born_on, gestation_weeks=weeks,
        due_on=born_on + timedelta(weeks=WEEKS_OF_TERM - weeks), guardian=EVIDENCE,
    )  # fmt: skip
    leo = _done(await add(house.advisor, grace, facts), BabyAdded).baby_id
    fed = feeding.FeedingFacts(
        feeding=Feeding.MIXED, since=born_on, formula_stage=1, formula_stage_since=born_on, packs_at_home=2
    )
    _done(await feeding.report(house.advisor, leo, fed), feeding.FeedingReported)
    about = tags.About(baby_id=leo)
    _done(
        await tags.tag_member(house.advisor, grace, "consumption.sensitive_skin", "Dry cheeks.", about=about),
        tags.MemberTagged,
    )
    await _say(
        house.advisor, grace, InteractionKind.VISIT, Channel.STORE, "Leo sleeps through. His cheeks are dry.",
        baby_id=leo, heard=Heard(Mood.PLEASED, ("Is the fragrance-free cream back?",)),
    )  # fmt: skip
    at = datetime.combine(vaccine_on + timedelta(days=1), time(10, 30), ZoneInfo(house.zone))
    at = await _when_she_may_be_called(at, house)
    promise = f"Call on {at.astimezone(ZoneInfo(house.zone)):%A}, after Leo's vaccine"
    await _say(
        house.consultant, grace, InteractionKind.CALL, Channel.CALL, "Nervous about the vaccine on the day before.",
        baby_id=leo, heard=Heard(Mood.WORRIED, promise=promise), call_at=at,
    )  # fmt: skip


async def _expecting(house: House) -> UUID:
    hannah = await _register(house, HANNAH)
    _done(
        await owners.assign_owner(house.operator, hannah, house.consultant.staff_id, "Calls her weekly."),
        owners.OwnerAssigned,
    )
    due_on = house.today + timedelta(weeks=WEEKS_OF_TERM - 30)  # care is due today
    _done(await add(house.advisor, hannah, BabyFacts(nickname="Button", due_on=due_on)), BabyAdded)
    await _say(house.advisor, hannah, InteractionKind.VISIT, Channel.STORE, "Ordered a crib.", topic="Order")
    return hannah


async def _seen_twice(house: House) -> list[UUID]:
    """At the till by her card, in the mall by an account of hers, where she later types the card: who is asked decides.

    The mall may write e-mails to her, the till may not any more: of both, the no stands after a merge.
    """
    at_till = await _register(house, NORA)
    await _word(house.advisor, at_till, ConsentState.WITHDRAWN)
    born_on = add_months(house.today, -9)
    _done(await add(house.advisor, at_till, BabyFacts(nickname="Otis", sex=Sex.MALE, born_on=born_on)), BabyAdded)
    await _say(house.advisor, at_till, InteractionKind.VISIT, Channel.STORE, "Tried two car seats with Otis.")
    email = GivenIdentity(IdentityKind.EMAIL, "nora.w@example.com")
    online = await _resolve(house, "Nora W.", "en", NORA_ONLINE, email)
    await _word(house.mall, online, ConsentState.GRANTED)
    await _say(house.mall, online, InteractionKind.QUESTION, Channel.PUSH, "Does the car seat turn around?")
    await _resolve(house, "Nora W.", "en", NORA_ONLINE, GivenIdentity(IdentityKind.CARD, NORA.card))
    return [at_till, online]


async def _merged_and_parted(house: House) -> None:
    """One name and one phone, and yet two women: merged, taken back to the byte, and kept apart from then on."""
    at_till = await _register(house, LI_NA)
    online = await _resolve(house, LI_NA.name, "zh-Hans", LI_NA_ONLINE, GivenIdentity(IdentityKind.PHONE, LI_NA.phone))
    for member_id in (at_till, online):
        await _mark(house, member_id)
    due_on = house.today + timedelta(weeks=8)
    _done(await add(house.advisor, at_till, BabyFacts(nickname="豆豆", due_on=due_on)), BabyAdded)
    await _say(house.advisor, at_till, InteractionKind.VISIT, Channel.STORE, "问待产包要准备什么。")
    merged = await merges.merge(house.operator, at_till, online, "Same name, same phone.")
    merge_id = _done(merged, merges.MembersMerged).merge_id
    why = "Two women of one name: she has her parcels sent to her sister-in-law."
    _done(await merges.unmerge(house.operator, merge_id, why), merges.MembersUnmerged)


async def _register(house: House, carer: Carer, household_of: UUID | None = None) -> UUID:
    contacts = [GivenIdentity(IdentityKind.CARD, carer.card), GivenIdentity(IdentityKind.PHONE, carer.phone)]
    contacts += [GivenIdentity(IdentityKind.EMAIL, carer.email)] if carer.email else []
    given = Registration(
        tuple(contacts), phone_region="US", full_name=carer.name, carer_role=carer.role, language=carer.language,
        time_zone=house.zone, household_of=household_of, channel=Channel.STORE,
        consents=tuple(GivenConsent(purpose, channel, EVIDENCE) for purpose, channel in carer.allows),
    )  # fmt: skip
    return _done(await register(house.advisor, given), MemberRegistered).member_id


async def _resolve(house: House, name: str, language: str, *known: GivenIdentity) -> UUID:
    wish = Wish(known, is_synthetic=True, full_name=name, language=language, time_zone=house.zone)
    return _done(await resolve(house.mall, wish, phone_region="US"), MemberResolved).member_id


async def _mark(house: House, member_id: UUID) -> None:
    tagged = await tags.tag_member(house.operator, member_id, TAG_KEY, "one of the demo's families")
    _done(tagged, tags.MemberTagged)


async def _word(actor: Actor, member_id: UUID, state: ConsentState) -> None:
    said = await consents.record(actor, member_id, Purpose.PROMOTION, Channel.EMAIL, state, EVIDENCE)
    _done(said, consents.ConsentRecorded)


async def _say(
    actor: Actor, member_id: UUID, kind: InteractionKind, channel: Channel, text: str, *, topic: str = "",
    baby_id: UUID | None = None, heard: Heard | None = None, call_at: datetime | None = None,
) -> None:  # fmt: skip
    note = Note(kind, channel, Direction.INBOUND, topic, text, baby_id, heard=heard or Heard(), call_at=call_at)
    _done(await log(actor, member_id, note), InteractionLogged)


async def _when_she_may_be_called(at: datetime, house: House) -> datetime:
    """`at`, or the next moment within contact hours: a first run may be finished at night."""
    rows = await connection().execute_query_dict("SELECT time_zone FROM stores WHERE id = $1", [house.advisor.store_id])
    return call_at(at, "US", Purpose.SERVICE, house.zone, rows[0]["time_zone"])


def _done(answer: object, kind: type[T]) -> T:
    """The verb's success; a failure here is a mistake of ours, and names no more than ids."""
    assert isinstance(answer, kind), answer
    return answer
