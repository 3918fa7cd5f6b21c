"""The demo's made-up families: what they show, that they are marked, made once, and whole after a kill."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from rich.console import Console

from domain.commerce.orders import Order
from domain.commerce.stores import Store
from domain.database import connection
from domain.people import owners
from domain.people.identities import IdentityKind, primary_holder
from domain.platform import accounts
from domain.platform.clock import business_now, set_business_clock
from nestling.demo import families
from nestling.demo.carers import GRACE, GRANDMOTHER, HANNAH, LI_NA, NORA, Carer
from nestling.demo.day import FIRST_MORNING, plan_care
from nestling.demo.families import make_families, record_loss
from nestling.demo.logins import open_logins
from nestling.demo.segments import make_segments
from nestling.demo.steps import Work
from nestling.demo.synthetic import add_people
from nestling.demo.synthetic.persons import LARGEST_NUMBER, phone
from nestling.opening import NotReady
from nestling.settings import Settings
from tests.factories import make_member, make_order, make_store

MORNING = datetime(*FIRST_MORNING, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest_asyncio.fixture
async def work(db: str, tmp_path: Path) -> AsyncIterator[Work]:
    """A demo of one buyer and one store, as the steps before the families leave it."""
    await set_business_clock(MORNING)
    store: Store = await make_store(source="completejourney")
    buyer = await make_member(source="completejourney", external_id="7", full_name=None, name_source=None)
    order = await make_order(buyer, MORNING - timedelta(days=9))
    await Order.filter(id=order.id).update(source="completejourney", store_id=store.id)
    await add_people(db, now=await business_now())
    settings = Settings(DATA_DIR=tmp_path, DATABASE_URL=db)
    made = Work(settings, None, say=lambda _: None, show=Console(quiet=True))
    await open_logins(made)
    yield made


async def rows(statement: str, *values: object) -> list[dict[str, Any]]:
    return await connection().execute_query_dict(statement, list(values))


async def called(carer: Carer) -> Any:
    found = await primary_holder(IdentityKind.CARD, carer.card)
    assert found is not None
    return found


async def test_two_babies_of_different_stages_and_two_carers_on_one_phone(work: Work) -> None:
    await make_families(work)
    grace, grandmother = await called(GRACE), await called(GRANDMOTHER)
    held = await rows(
        "SELECT i.member_id, i.is_primary, m.household_id FROM identities i JOIN members m ON m.id = i.member_id "
        "WHERE i.value = $1 ORDER BY i.is_primary DESC",
        GRACE.phone,
    )
    assert [(one["member_id"], one["is_primary"]) for one in held] == [(grace, True), (grandmother, False)]
    assert len({one["household_id"] for one in held}) == 1
    babies = await rows(
        "SELECT nickname, born_on, due_on, gestation_weeks FROM babies WHERE household_id = $1 ORDER BY born_on",
        held[0]["household_id"],
    )
    assert [(one["nickname"], one["born_on"]) for one in babies] == [
        ("Mia", date(2015, 10, 15)), ("Leo", date(2017, 8, 18)),
    ]  # fmt: skip
    assert (babies[1]["gestation_weeks"], babies[1]["due_on"]) == (32, date(2017, 10, 13))
    assert await rows("SELECT 1 FROM merge_suggestions WHERE $1 IN (one_id, other_id)", grandmother) == []


async def test_one_pair_waits_for_a_look_and_another_was_merged_and_parted(work: Work) -> None:
    await make_families(work)
    nora, li_na = await called(NORA), await called(LI_NA)
    pairs = await rows("SELECT one_id, other_id, state, evidence FROM merge_suggestions ORDER BY state")
    assert [(one["state"], len({nora, li_na} & {one["one_id"], one["other_id"]})) for one in pairs] == [
        ("NEVER", 1), ("OPEN", 1),
    ]  # fmt: skip
    assert nora in (pairs[1]["one_id"], pairs[1]["other_id"])
    merges = await rows("SELECT survivor_id, reason, unmerge_reason FROM merges")
    assert [(one["survivor_id"], bool(one["reason"]), bool(one["unmerge_reason"])) for one in merges] == [
        (li_na, True, True)
    ]
    assert await rows("SELECT 1 FROM members WHERE status <> 'ACTIVE'") == []


async def test_a_loss_withdraws_what_was_planned_and_leaves_the_call_about_her_order(work: Work) -> None:
    await make_families(work)
    await plan_care(work)
    hannah = await called(HANNAH)
    planned = await rows("SELECT state FROM messages WHERE member_id = $1 AND baby_id IS NOT NULL", hannah)
    assert planned, "nothing was planned: nothing can be withdrawn"
    told = await record_loss(work)
    assert told == {"messages": len(planned)}
    assert await rows("SELECT DISTINCT state FROM messages WHERE member_id = $1", hannah) == [{"state": "CANCELLED"}]
    calls = await rows("SELECT kind, state, baby_id FROM callback_tasks WHERE member_id = $1", hannah)
    assert calls == [{"kind": "PROMISE", "state": "OPEN", "baby_id": None}]
    before = await counts()
    await record_loss(work)
    assert await counts() == before


async def test_whatever_is_made_up_says_so_and_nobody_of_them_buys(work: Work) -> None:
    made = "SELECT id FROM members WHERE source <> 'completejourney'"
    before = await counts()
    await make_families(work)
    await plan_care(work)
    await record_loss(work)
    after = await counts()
    grown = ("babies", "guardian_consents", "consents", "interactions", "merges", "member_tags", "identities")
    assert [table for table in grown if after[table] <= before[table]] == []
    assert len(await rows(made)) == 7
    unmarked = {
        "name": f"SELECT id FROM members WHERE id IN ({made}) AND name_source <> 'SYNTHETIC'",
        "person": f"SELECT m.id FROM ({made}) m WHERE NOT EXISTS (SELECT FROM member_tags u JOIN tags t "
        "ON t.id = u.tag_id WHERE u.member_id = m.id AND t.key = 'demo.synthetic_person' AND u.source = 'SYNTHETIC')",
        "contact": f"SELECT id FROM identities WHERE member_id IN ({made}) AND NOT is_synthetic",
        "consent": f"SELECT id FROM consents WHERE member_id IN ({made}) "
        "AND (source, how) <> ('SYNTHETIC', 'synthetic')",
        "guardian": "SELECT id FROM guardian_consents WHERE source <> 'SYNTHETIC'",
        "baby": "SELECT id FROM babies WHERE presence_source <> 'SYNTHETIC' "
        "OR coalesce(born_source, 'SYNTHETIC') <> 'SYNTHETIC' OR coalesce(due_source, 'SYNTHETIC') <> 'SYNTHETIC' "
        "OR coalesce(feeding_source, 'SYNTHETIC') <> 'SYNTHETIC'",
        "words": f"SELECT id FROM interactions WHERE member_id IN ({made}) AND NOT is_synthetic",
        "buys": f"SELECT id FROM orders WHERE member_id IN ({made})",
    }
    assert [name for name, statement in unmarked.items() if await rows(statement)] == []


def test_no_buyer_has_a_phone_of_theirs() -> None:
    phones = {phone(household) for household in range(1, LARGEST_NUMBER)}
    assert not phones & {carer.phone for carer in (GRACE, GRANDMOTHER, HANNAH, NORA, LI_NA)}


async def counts() -> dict[str, int]:
    tables = await rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {one["tablename"]: (await rows(f'SELECT count(*) AS n FROM "{one["tablename"]}"'))[0]["n"] for one in tables}


@pytest.mark.parametrize("step", [make_families, record_loss], ids=lambda step: step.__name__)
async def test_cut_short_anywhere_it_leaves_nothing_and_is_finished_by_the_next(
    work: Work, monkeypatch: pytest.MonkeyPatch, step: Callable[[Work], Awaitable[Any]]
) -> None:
    if step is record_loss:
        await make_families(work)
    before = await counts()
    real, verbs = families._done, 0

    def die_at(last: int) -> Callable[[object, type[Any]], Any]:
        def done(answer: object, kind: type[Any]) -> Any:
            nonlocal verbs
            verbs += 1
            if verbs == last:
                raise KeyboardInterrupt
            return real(answer, kind)

        return done

    for last in (1, 2, 9, 30) if step is make_families else (1, 2):
        verbs = 0
        with monkeypatch.context() as broken:
            broken.setattr(families, "_done", die_at(last))
            with pytest.raises(KeyboardInterrupt):
                await step(work)
        assert await counts() == before
    await step(work)
    whole = await counts()
    await step(work)
    assert await counts() == whole != before


async def test_an_account_that_was_shut_out_is_told(work: Work) -> None:
    await accounts.set_active("advisor-1", is_active=False)
    with pytest.raises(NotReady, match="advisor-1"):
        await make_families(work)


async def test_finished_in_the_night_it_promises_calls_for_the_day(work: Work) -> None:
    await set_business_clock(MORNING.replace(hour=23))
    await make_families(work)
    await record_loss(work)
    promised = await rows("SELECT not_before FROM callback_tasks WHERE kind = 'PROMISE' ORDER BY 1")
    assert [one["not_before"].hour for one in promised][1:] == [10]
    assert 8 <= promised[0]["not_before"].hour < 21


async def test_a_segment_has_the_mother_and_not_the_grandmother(work: Work) -> None:
    await make_families(work)
    await make_segments(work)
    inside = await rows(
        "SELECT x.member_id FROM segment_members x JOIN segments s ON s.id = x.segment_id "
        "WHERE s.name = 'Around four months'"
    )
    assert [one["member_id"] for one in inside] == [await called(GRACE)]


async def test_the_consultant_serves_them_and_history_says_since_when(work: Work) -> None:
    await make_families(work)
    history = (
        await owners.OwnerAssignment.filter(member_id=await called(GRACE)).order_by("id").prefetch_related("staff")
    )
    assert [one.staff.external_id for one in history if one.staff] == ["advisor-1", "consultant-1"]
