"""The walk through the demo's families: every operation of docs/people.md as printed, and the pages beside it."""

import json
import re
import runpy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.app import create_app, reading
from api.config import ApiConfig
from nestling.demo.carers import GRACE, GRANDMOTHER, HANNAH, LI_NA, NORA
from nestling.demo.day import plan_care
from nestling.demo.families import make_families, record_loss
from nestling.demo.place import Place
from nestling.demo.segments import SEGMENTS, make_segments
from nestling.demo.steps import Work
from tests.nestling.demo.test_families import quick_passwords, rows, work

__all__ = ["quick_passwords", "work"]  # fixtures
TOUR = runpy.run_path(str(Path(__file__).resolve().parents[3] / "scripts" / "tour.py"))
PAPER = TOUR["PAPER"].read_text(encoding="utf-8")


@pytest_asyncio.fixture
async def demo(work: Work) -> AsyncIterator[httpx.AsyncClient]:
    """The demo of its first morning, served."""
    await make_families(work)
    await plan_care(work)
    await record_loss(work)
    await make_segments(work)
    config = ApiConfig(database_url=work.settings.DATABASE_URL)
    async with reading(config):
        transport = httpx.ASGITransport(app=create_app(config))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


async def walk(demo: httpx.AsyncClient, work: Work) -> dict[str, Any]:
    """The answers of all operations by their names."""
    tokens = Place(work.settings.DATA_DIR).secrets()["tokens"]
    walking, answers = TOUR["walk"](PAPER), {}
    asked = next(walking)
    while True:
        answer = await demo.post(
            "/graphql",
            json={"query": asked.document, "variables": asked.variables},
            headers={"Authorization": f"Bearer {tokens[asked.role]}"},
        )
        told = answer.json()
        assert "errors" not in told, (asked.name, told["errors"])
        answers[asked.name] = told["data"]
        try:
            asked = walking.send(told["data"])
        except StopIteration:
            return answers


async def test_every_operation_of_the_walk_shows_what_the_paper_says(demo: httpx.AsyncClient, work: Work) -> None:
    told = await walk(demo, work)
    assert len(told) == PAPER.count("```graphql") == 12
    mother = told["ByPhone"]["member"]
    assert [one["name"] for one in mother["household"]["carers"]] == [mother["name"], GRANDMOTHER.name]
    assert [one["stage"]["age"] for one in mother["babies"]] == ["2 years 2 months", "3 months 27 days"]
    assert mother["babies"][1]["stage"]["careStage"] == "MONTHS_1_3", "eight weeks early"
    found = [edge["node"] for edge in told["ByDigits"]["members"]["edges"]]
    primary = {
        one["name"]: [held["isPrimary"] for held in one["identities"] if held["kind"] == "PHONE"] for one in found
    }
    assert primary == {GRACE.name: [True], GRANDMOTHER.name: [False]}
    years = {baby["nickname"]: baby["careCalendar"] for her in told["YearAhead"].values() for baby in her["babies"]}
    assert set(years) == {"Mia", "Leo", "Otis", "豆豆"}
    for year in years.values():
        days = [due["on"] for due in year]
        assert days == sorted(days)
        assert "2017-12-15" <= days[0] <= days[-1] <= "2018-12-15"
    expected = {
        kind: {due["isExpected"] for due in years["豆豆"] if due["kind"] == kind} for kind in ("CHECK_UP", "VACCINE")
    }
    assert expected == {"CHECK_UP": {False, True}, "VACCINE": {True}}, "the birth will move what comes after it"
    leo = years["Leo"]
    assert {(due["kind"], due["basis"]) for due in leo} >= {("VACCINE", "CHRONOLOGICAL"), ("WEANING", "CORRECTED")}
    assert {due["on"] for due in leo if due["kind"] == "VACCINE"} >= {"2017-12-18", "2018-02-18"}


async def test_the_pair_is_merged_and_parted_and_may_be_walked_through_again(
    demo: httpx.AsyncClient, work: Work
) -> None:
    before = await rows("SELECT id, value, member_id, home_id FROM identities ORDER BY id")
    for _ in range(2):
        told = await walk(demo, work)
        (edge,) = told["Suggested"]["mergeSuggestions"]["edges"]
        assert edge["node"]["kinds"] == ["CARD", "MALL_ACCOUNT"]
        dry = {row["table"]: row for row in told["DryRun"]["previewMerge"]["rows"]}
        assert dry["consents"] == {"table": "consents", "changed": 1, "removed": 0, "added": 1}
        merged = told["Merge"]["mergeMembers"]["member"]
        assert merged["formerIds"] == [edge["node"]["other"]["id"]]
        assert {one["kind"] for one in merged["identities"]} == {"CARD", "PHONE", "MALL_ACCOUNT", "EMAIL"}
        said = [one["state"] for one in merged["consents"] if one["purpose"] == "PROMOTION"]
        assert said == ["WITHDRAWN"]
        names = [edge["node"]["one"]["name"] for edge in told["Parted"]["mergeSuggestions"]["edges"]]
        assert sorted(names) == sorted([NORA.name, LI_NA.name])
        for edge in told["Parted"]["mergeSuggestions"]["edges"]:
            assert edge["node"]["mergedAt"] < edge["node"]["unmergedAt"]
            assert edge["node"]["mergeReason"]
            assert edge["node"]["unmergeReason"]
    assert await rows("SELECT id, value, member_id, home_id FROM identities ORDER BY id") == before


async def test_after_a_loss_nothing_is_planned_and_a_segment_says_why(demo: httpx.AsyncClient, work: Work) -> None:
    told = await walk(demo, work)
    hannah = told["AfterALoss"]["member"]
    assert [(one["nextStages"], one["careCalendar"]) for one in hannah["babies"]] == [([], [])]
    states = {(edge["node"]["state"], edge["node"]["stateReason"]) for edge in hannah["messages"]["edges"]}
    assert states == {("CANCELLED", "LOSS")}
    assert [task["kind"] for task in hannah["openTasks"]] == ["PROMISE"]
    segments = {edge["node"]["name"] for edge in told["WhoIsMeant"]["segments"]["edges"]}
    assert segments == set(SEGMENTS)
    assert told["Why"]["mother"]["isIn"] is True
    assert told["Why"]["grandmother"]["isIn"] is False
    met = [(one["field"], one["isMet"]) for one in told["Why"]["grandmother"]["conditions"]]
    assert met == [("baby.age_months", True), ("consents.consent", False)]


def test_the_rule_that_the_paper_asks_is_the_segments_own() -> None:
    (rule,) = re.findall(r'\$rule: String! = ("(?:\\.|[^"\\])*")', PAPER)
    assert json.loads(json.loads(rule))["rules"] == SEGMENTS["Around four months"][1]


async def _signed_in(demo: httpx.AsyncClient, work: Work, login: str) -> None:
    password = Place(work.settings.DATA_DIR).secrets()["password"]
    headers = {"Origin": "http://test", "Sec-Fetch-Site": "same-origin"}
    answer = await demo.post("/login", data={"login": login, "password": password}, headers=headers)
    assert answer.status_code == 303, answer.text
    demo.headers.update(headers)


@pytest.mark.parametrize(("language", "said"), [("en", ("mother", "grandparent")), ("zh-Hans", ("妈妈", "祖辈"))])
async def test_the_store_page_tells_two_on_one_phone_apart(
    demo: httpx.AsyncClient, work: Work, language: str, said: tuple[str, str]
) -> None:
    await _signed_in(demo, work, "advisor-1")
    found = (await demo.post(f"/store?lang={language}", data={"q": GRACE.phone[2:]})).text
    for carer, role in zip((GRACE, GRANDMOTHER), said, strict=True):
        assert re.search(rf"{carer.name}</strong> <span class=\"soft\">{role}", found)
    grace, *_ = re.findall(r'href="(/store/Member:[^"]+)"', found)
    page = (await demo.get(f"{grace}?lang={language}")).text
    assert re.search(rf"{GRANDMOTHER.name}</a> \({said[1]}, \*\*\*0190\)", page)


async def test_whoever_serves_her_after_a_loss_is_told_to_be_gentle(demo: httpx.AsyncClient, work: Work) -> None:
    await _signed_in(demo, work, "consultant-1")
    found = (await demo.post("/store", data={"q": HANNAH.card})).text
    (hannah,) = re.findall(r'href="(/store/Member:[^"]+)"', found)
    page = (await demo.get(hannah)).text
    assert "Be gentle" in page
    assert 'class="year"' not in page
