"""The demo's purchases are real, whole and never shifted; the people around them are made up and say so."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import phonenumbers
import pytest
import pytest_asyncio
from rich.console import Console

from domain.commerce.products import BabyClass, FormulaClass
from domain.database import connection
from domain.gateway.messages import MessageState
from domain.platform import cron
from domain.platform.clock import business_now, set_business_clock
from nestling.demo import advance as advancing
from nestling.demo import dispatch, new_day
from nestling.demo.advance import advance, span
from nestling.demo.days import Lived, live, missing, stops
from nestling.demo.new_day import report, wait_for_worker
from nestling.demo.progress import Progress
from nestling.demo.purchases import import_orders, import_purchases
from nestling.demo.purchases.classes import classify
from nestling.demo.purchases.source import CORE_BABY, households_in_order, purchases
from nestling.demo.synthetic import add_babies, add_people
from nestling.demo.synthetic.children import Signs, children, other_children
from nestling.demo.synthetic.persons import person, phone
from nestling.opening import NotReady
from nestling.settings import Settings
from nestling.wiring import worker_config
from workers.daily import daily_jobs
from workers.jobs import Job

START = datetime(2017, 12, 15, 10, tzinfo=UTC)
HOUSEHOLDS = 60


async def rows(statement: str, *values: Any) -> list[dict[str, Any]]:
    return await connection().execute_query_dict(statement, list(values))


async def one(statement: str, *values: Any) -> Any:
    return next(iter((await rows(statement, *values))[0].values()))


async def fingerprint() -> list[dict[str, Any]]:
    """What the database holds, without the ids and times of the run."""
    return await rows(
        "SELECT o.external_id, o.ordered_at, o.total, o.payload_hash, m.external_id AS member, t.external_id AS store, "
        " (SELECT json_agg((l.line_no, p.external_id, l.quantity, l.amount, l.discount)::text ORDER BY l.line_no) "
        "        FROM order_lines l JOIN products p ON p.id = l.product_id WHERE l.order_id = o.id) AS lines "
        "FROM orders o JOIN members m ON m.id = o.member_id JOIN stores t ON t.id = o.store_id ORDER BY o.external_id"
    )


def test_the_whole_source_is_there() -> None:
    source = purchases()
    assert len(source.lines) == 1_469_307
    assert source.lines.basket_id.nunique() == 155_848
    assert len(households_in_order()) == 2_469
    goods = source.products[source.products.is_merchandise].product_id
    assert source.lines[source.lines.product_id.isin(goods)].quantity.max() < 1_000  # fuel is no merchandise
    assert (source.lines.paid >= 0).all()
    assert (source.lines.discount >= 0).all()


def test_a_small_demo_is_a_part_of_a_larger_one_and_half_of_it_has_babies() -> None:
    order = households_in_order()
    source = purchases()
    core = set(source.products[source.products.baby_class.isin(CORE_BABY)].product_id)
    lines = source.between(START - timedelta(days=180), START)
    baskets = lines[lines.product_id.isin(core)].groupby("household_id").basket_id.nunique()
    assert sum(baskets.get(h, 0) >= 2 for h in order[:HOUSEHOLDS]) == HOUSEHOLDS // 2
    assert (len(set(order)), sum(baskets.get(h, 0) >= 2 for h in order)) == (2_469, 344)
    there = source.between(None, START).household_id.nunique()
    assert set(order[:there]) == set(source.between(None, START).household_id)


@pytest.mark.parametrize(
    ("category", "product_type", "baby", "formula"),
    [
        ("INFANT FORMULA", "INFANT FORMULA MILK BASE", BabyClass.FORMULA, FormulaClass.UNKNOWN),
        ("INFANT FORMULA", "INFANT FORMULA SPECIALTY", BabyClass.FORMULA, FormulaClass.UNKNOWN),
        ("INFANT FORMULA", "INFANT FORMULA TODDLER", BabyClass.FORMULA, FormulaClass.GROWING_UP),
        ("INFANT FORMULA", "BABY ISOTONIC DRINKS", BabyClass.BABY_FOOD, FormulaClass.COMPLEMENTARY),
        ("BABY FOODS", "BABY FOOD - BEGINNER", BabyClass.BABY_FOOD, FormulaClass.COMPLEMENTARY),
        ("INFANT CARE PRODUCTS", "FEEDING ACCESSORIES BOTTLES", BabyClass.BABY_CARE, FormulaClass.BOTTLE_TEAT),
        ("DIAPERS & DISPOSABLES", "BABY DIAPERS", BabyClass.DIAPER, FormulaClass.NONE),
        ("BABY HBC", "BABY WIPES", BabyClass.BABY_CARE, FormulaClass.NONE),
        ("BABY HBC", "COTTON COTTON SWABS", BabyClass.NONE, FormulaClass.NONE),
        ("MAKEUP AND TREATMENT", "PHYSICANS FORMULA", BabyClass.NONE, FormulaClass.NONE),
        ("TOYS AND GAMES", "BABY DOLL ACCESSORIES", BabyClass.NONE, FormulaClass.NONE),
        ("CARROTS", "BABY CARROTS", BabyClass.NONE, FormulaClass.NONE),
    ],
)
def test_product_texts_are_read_with_care(
    category: str, product_type: str, baby: BabyClass, formula: FormulaClass
) -> None:
    assert classify(category, product_type) == (baby, formula)


def test_nobody_is_synthetic_twice_and_every_phone_is_valid_and_nobodys() -> None:
    everybody = range(1, 2501)
    phones = {phone(h) for h in everybody}
    assert len(phones) == 2_500
    for number in phones:
        assert phonenumbers.is_valid_number(phonenumbers.parse(number))
        assert number[5:8] == "555"
        assert 100 <= int(number[8:]) <= 199
    people = [person(h) for h in everybody]
    assert len({p.email for p in people}) == len({p.card for p in people}) == 2_500
    assert {p.email.rpartition("@")[2] for p in people} == {"example.com", "example.org", "example.net"}
    assert 0.25 < sum(p.language == "zh-Hans" for p in people) / 2_500 < 0.35
    assert {(p.language, p.jurisdiction) for p in people} == {
        ("en", "US"),
        ("en", "CN"),
        ("zh-Hans", "US"),
        ("zh-Hans", "CN"),
    }
    assert any(not p.consents for p in people)
    assert person(7) == person(7)


def test_made_up_children_are_of_every_kind_and_of_an_age_that_the_purchases_allow() -> None:
    today = START.date()
    families = [children(h, Signs(3, formula=True, first_food=True), today, "en") for h in range(1, 400)]
    assert any(len(f) == 2 and f[0].born_on == f[1].born_on for f in families)  # twins
    assert any(f[0].due_on and not f[0].born_on for f in families)
    assert any(f[0].due_on is None and f[0].born_on is None for f in families)
    ages = [(today - c.born_on).days for f in families for c in f if c.born_on]
    for shortest, longest in ((0, 30), (100, 160), (220, 280), (1_700, 1_900)):
        assert any(shortest <= age <= longest for age in ages)
    assert not any(280 < age < 1_700 for age in ages)  # nobody who buys first food and formula has a toddler only
    assert families == [children(h, Signs(3, formula=True, first_food=True), today, "en") for h in range(1, 400)]
    assert any(other_children(h, today, "zh-Hans") for h in range(1, 200))


@pytest.mark.parametrize(("text", "days"), [("7d", 7), ("2w", 14), ("36h", 1.5), ("366d", 366)])
def test_a_span_is_read(text: str, days: float) -> None:
    assert span(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["-7d", "7", "d", "7y", "367d", "100000d", "999999999999w", "0d", "00m", ""])
def test_a_span_that_is_none_is_refused_with_a_word(text: str) -> None:
    with pytest.raises(ValueError, match="write 30m, 12h, 7d or 2w"):
        span(text)


async def test_purchases_come_in_whole_once_and_from_the_past_only(db: str) -> None:
    first = await import_purchases(db, until=START, households=HOUSEHOLDS)
    source = purchases().of_households(set(households_in_order()[:HOUSEHOLDS]))
    expected = source.between(None, START)
    assert first.orders == expected.basket_id.nunique() == await one("SELECT count(*) FROM orders")
    assert first.lines == len(expected) == await one("SELECT count(*) FROM order_lines")
    assert await one("SELECT sum(amount) FROM order_lines") == Decimal(int(expected.paid.sum())) / 100
    assert await one("SELECT max(ordered_at) FROM orders") == expected["at"].max().to_pydatetime().replace(tzinfo=UTC)
    assert not await one(
        "SELECT count(*) FROM orders o WHERE total <> (SELECT sum(amount) FROM order_lines WHERE order_id = o.id)"
    )
    assert await one("SELECT count(*) FROM member_tags WHERE source <> 'IMPORT'") == 0
    before = await fingerprint()

    again = await import_purchases(db, until=START, households=HOUSEHOLDS)
    assert (again.members, again.products, again.orders, again.lines) == (0, 0, 0, 0)
    assert await fingerprint() == before

    # a run that was killed between two months, and one that was killed before its last word
    await connection().execute_script(
        "DELETE FROM order_lines WHERE order_id IN (SELECT id FROM orders WHERE ordered_at >= '2017-06-01');"
        "DELETE FROM orders WHERE ordered_at >= '2017-06-01'; UPDATE imports SET state = 'RUNNING'"
    )
    await import_purchases(db, until=START, households=HOUSEHOLDS)
    assert await fingerprint() == before


@pytest_asyncio.fixture
async def demo(db: str) -> str:
    """A small demo on its first morning."""
    await set_business_clock(START)
    await import_purchases(db, until=START, households=HOUSEHOLDS)
    await add_people(db, now=START)
    await add_babies(db, now=START)
    return db


async def test_a_week_brings_the_weeks_purchases_and_the_end_is_told(demo: str) -> None:
    before = await one("SELECT count(*) FROM orders")
    said: list[str] = []
    week = await advance(demo, timedelta(days=7), said.append)
    source = purchases().of_households(set(households_in_order()[:HOUSEHOLDS]))
    assert await one("SELECT count(*) FROM orders") == before + week.orders
    assert week.orders == source.between(START, week.now).basket_id.nunique() > 0
    assert not week.is_over
    assert await one("SELECT count(*) FROM orders WHERE ordered_at >= $1", await business_now()) == 0
    assert await one("SELECT count(*) FROM members WHERE full_name IS NULL") == 0

    last = await advance(demo, timedelta(days=30), said.append)
    assert last.is_over
    assert "no more purchases: the source ends 2018-01-01 04:01 UTC" in said[-1]
    assert (await advance(demo, timedelta(days=1), said.append)).orders == 0
    assert await one("SELECT count(*) FROM orders") == source.lines.basket_id.nunique()


async def test_a_feed_that_somebody_blocks_has_an_end_and_goes_on_afterwards(
    demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await one("SELECT count(*) FROM orders"), (await business_now()).date()
    monkeypatch.setattr(advancing, "FEED_SECONDS", 1.0)  # seconds of patience, not a behaviour
    blocker = await asyncpg.connect(demo)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
        with pytest.raises(NotReady, match="have not come in within 1 s, so the clock has not moved"):
            await advance(demo, timedelta(days=2))
    await blocker.close()
    assert (await one("SELECT count(*) FROM orders"), (await business_now()).date()) == before
    monkeypatch.undo()
    assert (await advance(demo, timedelta(days=2))).orders == await one("SELECT count(*) FROM orders") - before[0] > 0


async def test_without_a_worker_it_says_who_will_do_the_rest(demo: str) -> None:
    week = await advance(demo, timedelta(days=7))
    settings = Settings(DATABASE_URL=demo, TIME_ZONE="UTC", _env_file=None)  # type: ignore[call-arg]
    jobs, zone = daily_jobs(worker_config(settings)), ZoneInfo("UTC")
    day = await wait_for_worker(jobs, zone, lambda _: None, patience=0.2)
    assert not day.has_worker
    assert day.left == ["scores", "search for duplicates", "call lists", "care run"]
    (said,) = missing(Lived(week, day, 0), "nestling demo")
    assert said.startswith("No worker runs on this database")
    assert "make demo" in said
    assert (await report(day, week.before, {"orders": week.orders}, zone)).row_count > 5

    for job in jobs:
        await cron.want(job.name, day.dates[job.name])
        tick = await cron.take("a worker", [job.name])
        assert tick is not None
        await cron.finish("a worker", tick, cron.FAILED if job.name == "score" else cron.DONE)
    ended = await wait_for_worker(jobs, zone, lambda _: None, patience=60)
    assert (ended.is_done, ended.failed) == (True, ["scores"])
    assert missing(Lived(week, ended, 0, tuple(ended.failed)), "nestling demo") == [
        "The worker failed at the scores; its log says why, and the next day tries again."
    ]


def test_a_jump_stops_on_the_evening_of_every_day_whose_jobs_come_due() -> None:
    jobs, zone = [Job("care_run", time(6), nothing)], ZoneInfo("Asia/Shanghai")  # 8 hours ahead, all year
    morning = datetime(2017, 12, 15, 2, tzinfo=UTC)  # 10:00 there
    evenings = [datetime(2017, 12, day, 10, tzinfo=UTC) for day in range(15, 23)]
    assert stops(morning, timedelta(hours=3), jobs, zone) == [morning + timedelta(hours=3)]
    assert stops(morning, timedelta(days=2), jobs, zone) == [evenings[1], morning + timedelta(days=2)]
    assert stops(morning, timedelta(days=7), jobs, zone) == [*evenings[1:7], morning + timedelta(days=7)]
    assert stops(morning - timedelta(hours=5), timedelta(days=1), jobs, zone) == [
        evenings[0], morning + timedelta(hours=19),
    ]  # fmt: skip
    late = timedelta(days=1, hours=12)  # till 22:00: the last day's jobs are due on its evening
    assert stops(morning, late, jobs, zone) == [evenings[1], morning + late]


async def nothing(_: datetime) -> str:
    return ""


def test_every_state_of_a_message_stands_once_in_each_sum_that_is_told() -> None:
    for told in (list(dispatch.WAYS.values()), [states for _, states, _ in new_day.WAYS]):
        assert sorted(state for states in told for state in states) == sorted(MessageState)


async def test_a_day_that_nobody_finishes_is_the_last_one_and_no_sign_of_success_stands_there(
    demo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_day, "WORKER_SECONDS", 0.2)  # seconds of patience, not a behaviour
    jobs, zone = daily_jobs(worker_config(Settings(DATABASE_URL=demo, _env_file=None))), ZoneInfo("UTC")  # type: ignore[call-arg]
    said = StringIO()
    lived = await live(
        demo, timedelta(days=5), jobs, zone, Progress(Console(file=said, width=200)), is_served=lambda: False
    )
    assert (lived.moved.now.date() - START.date(), lived.passed_over, lived.is_done) == (timedelta(days=1), 0, False)
    assert abs(lived.moved.now + lived.left - (START + timedelta(days=5))) < timedelta(minutes=1)
    assert "✓" not in said.getvalue()
    awaited = ", ".join(f"{name} not begun" for name in ("scores", "search for duplicates", "call lists", "care run"))
    assert f"(1 of 5): not finished ({awaited}" in " ".join(said.getvalue().split())
    assert re.search(r"go on with: nestling demo advance \d+m$", missing(lived, "nestling demo")[-1])
    assert await one("SELECT count(*) FROM orders WHERE ordered_at >= $1", START) == lived.moved.orders > 0


async def test_what_is_made_up_says_so_and_what_is_measured_is_not_mixed_with_it(demo: str) -> None:
    contacts = await rows("SELECT kind, is_synthetic, count(*) FROM identities GROUP BY 1, 2")
    assert {(r["kind"], r["is_synthetic"]) for r in contacts} >= {("PHONE", True), ("EMAIL", True), ("CARD", True)}
    assert [r["is_synthetic"] for r in contacts if r["kind"] == "EXTERNAL_ID"] == [False]
    assert await one("SELECT count(*) FROM members WHERE name_source IS DISTINCT FROM 'SYNTHETIC'") == 0
    assert await one("SELECT count(*) FROM consents WHERE source <> 'SYNTHETIC' OR how <> 'synthetic'") == 0
    assert await one("SELECT count(*) FROM consents WHERE given_at > $1", START) == 0
    assert await one("SELECT count(*) FROM interactions WHERE NOT is_synthetic OR occurred_at > $1", START) == 0
    marked = "SELECT count(*) FROM member_tags u JOIN tags t ON t.id = u.tag_id WHERE t.key = 'demo.synthetic_person'"
    assert await one(f"{marked} AND u.source = 'SYNTHETIC'") == await one("SELECT count(*) FROM members")
    assert await one("SELECT count(*) FROM members WHERE owner_id IS NULL OR store_id IS NULL") < HOUSEHOLDS / 3

    babies = await rows("SELECT * FROM babies")
    inferred = [b for b in babies if b["presence_source"] == "INFERRED"]
    assert len(inferred) == HOUSEHOLDS // 2
    assert all(0.6 <= b["presence_confidence"] <= 0.95 for b in inferred)
    assert {b["presence_source"] for b in babies} <= {"INFERRED", "SYNTHETIC"}
    assert {b[f"{which}_source"] for b in babies for which in ("due", "born")} == {None, "SYNTHETIC"}
    assert all(b["born_on"] is None or date(2012, 1, 1) < b["born_on"] < START.date() for b in babies)


async def test_a_second_run_makes_nobody_up_twice(demo: str) -> None:
    tables = ("identities", "consents", "interactions", "babies", "staff", "member_tags")
    before = [await one(f"SELECT count(*) FROM {table}") for table in tables]
    assert (await add_people(demo, now=START)).members == 0
    assert await add_babies(demo, now=START) == {"inferred": 0, "made_up": 0}
    assert [await one(f"SELECT count(*) FROM {table}") for table in tables] == before


async def test_a_loss_stays_a_loss_whatever_the_baskets_say(demo: str) -> None:
    household = await one("SELECT household_id FROM babies WHERE presence_source = 'INFERRED' LIMIT 1")
    await connection().execute_query("UPDATE babies SET stopped_at = $2 WHERE household_id = $1", [household, START])
    await advance(demo, timedelta(days=7))
    assert await one("SELECT count(*) FROM babies WHERE household_id = $1 AND stopped_at IS NULL", household) == 0


async def test_without_a_demo_the_clock_is_not_moved(db: str) -> None:
    assert await import_orders(db, until=START) is None
    with pytest.raises(NotReady, match="has no demo"):
        await advance(db, timedelta(days=7))
    assert await one("SELECT count(*) FROM clock_offsets") == 0


def test_no_family_calls_two_children_by_one_name() -> None:
    for household in range(3_000):
        names = [child.nickname for child in children(household, Signs(baskets=9, diapers=True), START.date(), "en")]
        named = [name for name in names if name is not None]
        assert len(named) == len(set(named))
