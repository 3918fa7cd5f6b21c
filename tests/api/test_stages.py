"""Stages to come and the care calendar as they are asked for."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from api.config import ApiConfig
from api.context import ApiContext
from api.graphql import Request, run
from domain.platform.clock import set_business_clock
from domain.platform.roles import Role
from domain.stages.engine import BabyDates, read
from domain.stages.rules import Stage
from tests.api.conftest import Ask, Response
from tests.factories import NOON, make_actor, make_baby, make_guardian_consent, make_member, member_actor

AHEAD = """query($id: ID!, $months: Int) { node(id: $id) { ... on Baby {
  nextStages { stage name on isExpected }
  careCalendar(months: $months) { code title on opensOn closesOn kind basis purpose channels isExpected source }
  year: careCalendar { code }
} } }"""


async def test_a_family_reads_its_year_in_its_own_words_and_schedule(ask: Ask) -> None:
    mother = await make_member(jurisdiction="CN", time_zone="Asia/Shanghai", language="zh-Hans")
    baby = await make_baby(mother, born_on=date(2017, 10, 15), born_source="MEMBER")
    answer = await ask(member_actor(mother), AHEAD, language="zh-Hans", id=f"Baby:{baby.id}", months=1)
    found = answer.data["node"]
    assert answer.statements == 1
    assert found["nextStages"][:2] == [
        {"stage": "MONTHS_3_6", "name": "3–6个月", "on": "2018-01-15", "isExpected": False},
        {"stage": "MONTHS_6_12", "name": "6–12个月", "on": "2018-04-15", "isExpected": False},
    ]
    assert next(due for due in found["careCalendar"] if due["code"] == "MILESTONE_2M") == {
        "code": "MILESTONE_2M", "title": "2月龄发育：会微笑、目光追随", "on": "2017-12-15", "opensOn": "2017-12-15",
        "closesOn": "2018-01-13", "kind": "DEVELOPMENT", "basis": "CORRECTED", "purpose": "CARE",
        "channels": ["EMAIL", "SMS"], "isExpected": False, "source": "CDC: Learn the Signs. Act Early. (2022)",
    }  # fmt: skip
    assert {due["code"] for due in found["careCalendar"]} == {"VACCINE_CN_2M", "MILESTONE_2M", "MONTHS_1_3"}
    assert len(found["year"]) > len(found["careCalendar"])


async def test_the_day_is_the_one_where_the_family_lives(ask: Ask) -> None:
    await set_business_clock(NOON.replace(hour=23))  # 15 December in the house, 16 December in Auckland
    for zone, expected in (("UTC", "2017-12-15"), ("Pacific/Auckland", "2017-12-16")):
        mother = await make_member(time_zone=zone)
        baby = await make_baby(mother, born_on=date(2017, 6, 3), born_source="MEMBER")
        found = (await ask(await make_actor(), AHEAD, id=f"Baby:{baby.id}", months=1)).data["node"]
        assert found["careCalendar"][0]["on"] == expected


@pytest.mark.usefixtures("ask")
async def test_stages_and_searches_by_stage_are_read_for_the_day_of_the_house(config: ApiConfig) -> None:
    """Half an hour around her midnight, at places east and west of Greenwich: never UTC's day."""
    actor, by_stage = await make_actor(), Stage.MONTHS_6_12
    for house, midnight in (("Asia/Shanghai", datetime(2017, 12, 15, 16, tzinfo=UTC)),
                            ("America/New_York", datetime(2017, 12, 16, 5, tzinfo=UTC))):  # fmt: skip
        there = replace(config, time_zone=house)
        mother = await make_member(time_zone="Pacific/Auckland")  # where she lives does not move the house's day
        dates = BabyDates(born_on=date(2017, 6, 16))
        baby = await make_baby(mother, born_on=dates.born_on, born_source="MEMBER")
        for minutes, on in ((-30, date(2017, 12, 15)), (30, date(2017, 12, 16))):
            await set_business_clock(midnight + timedelta(minutes=minutes))
            context = ApiContext(caller=actor, config=there)
            asked = await run(Request(HERE, {"id": f"Baby:{baby.id}", "stage": by_stage.value}), context)
            said, expected = Response(asked.body, context).data, read(dates, on)
            assert expected.age is not None
            assert said["node"]["stage"] == {
                "stage": expected.stage.value, "on": on.isoformat(), "ageMonths": expected.age.months,
            }  # fmt: skip
            found = {edge["node"]["id"] for edge in said["members"]["edges"]}
            assert (f"Member:{mother.id}" in found) == (expected.stage is by_stage)


async def test_nothing_lies_before_a_baby_whose_content_was_stopped(ask: Ask) -> None:
    baby = await make_baby(await make_member(), due_on=date(2018, 3, 1), due_source="MEMBER", stopped_at=NOON)
    found = (await ask(await make_actor(), AHEAD, id=f"Baby:{baby.id}", months=12)).data["node"]
    assert found == {"nextStages": [], "careCalendar": [], "year": []}
    asked = "query($id: ID!) { node(id: $id) { ... on Baby { stage { stage age week next { stage } } } } }"
    stage = (await ask(await make_actor(), asked, id=f"Baby:{baby.id}")).data["node"]["stage"]
    assert (stage["stage"], stage["week"], stage["next"]) == ("UNKNOWN", None, None)


async def test_a_baby_whose_content_was_stopped_is_no_way_to_her_family(ask: Ask) -> None:
    mother = await make_member()
    for name, stopped_at in (("Pip", None), ("Pia", NOON)):
        await make_baby(mother, nickname=name, nickname_key=name.lower(), stopped_at=stopped_at)
    asked = "query($name: String!) { members(search: {babyNickname: $name}, first: 5) { edges { node { id } } } }"
    operator = await make_actor(Role.OPERATOR)
    assert [len((await ask(operator, asked, name=name)).data["members"]["edges"]) for name in ("pip", "pi", "pia")] == [
        1,
        1,
        0,
    ]


async def test_too_many_months_are_refused_in_queries_and_in_payloads(ask: Ask) -> None:
    mother = await make_member()
    baby = await make_baby(mother, born_on=date(2017, 6, 3), born_source="MEMBER")
    actor = await make_actor()
    refused = await ask(actor, AHEAD, id=f"Baby:{baby.id}", months=25)
    assert (refused.codes, refused.body["data"]) == (["BAD_USER_INPUT"], {"node": None})
    add = """mutation($input: AddBabyInput!, $key: String!, $months: Int!) {
      addBaby(input: $input, idempotencyKey: $key) {
        ... on BabyAdded { baby { careCalendar(months: $months) { code } } }
      }
    }"""
    given = {"memberId": f"Member:{mother.id}", "dueOn": "2018-03-01"}
    added = (await ask(actor, add, input=given, key="a", months=2)).data["addBaby"]["baby"]
    assert [due["code"] for due in added["careCalendar"]][:3] == ["TRIMESTER_3", "ANTENATAL_4", "ANTENATAL_5"]
    assert (await ask(actor, add, input=given, key="b", months=0)).codes == ["BAD_USER_INPUT"]


HERE = """query($id: ID!, $stage: Stage!) {
  node(id: $id) { ... on Baby { stage { stage on ageMonths } } }
  members(search: {stage: $stage}, first: 20) { edges { node { id } } }
}"""
ENTRIES = """query($from: Date!, $to: Date!, $stage: Stage!) {
  stageEntries(stage: $stage, from: $from, to: $to, first: 2) {
    totalCount pageInfo { hasNextPage } edges { node { id } }
  }
}"""


async def test_an_operator_lists_who_enters_a_stage_and_nobody_whose_content_was_stopped(ask: Ask) -> None:
    mother = await make_member()
    born = [date(2017, 6, 15) + timedelta(days=n) for n in range(5)]
    babies = [await make_baby(mother, born_on=day, born_source="MEMBER") for day in born]
    await make_baby(mother, born_on=born[0], born_source="MEMBER", stopped_at=NOON)
    operator = await make_actor(Role.OPERATOR)
    dates = {"from": "2017-12-15", "to": "2017-12-17"}
    page = (await ask(operator, ENTRIES, stage="MONTHS_6_12", **dates)).data["stageEntries"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, True)
    assert {edge["node"]["id"] for edge in page["edges"]} < {f"Baby:{baby.id}" for baby in babies[:3]}
    for wrong in ({"stage": "UNKNOWN", **dates}, {"stage": "NEWBORN", "from": "2017-12-15", "to": "2017-12-14"},
                  {"stage": "NEWBORN", "from": "0001-01-01", "to": "0001-01-01"}):  # fmt: skip
        assert (await ask(operator, ENTRIES, **wrong)).codes == ["BAD_USER_INPUT"]
    assert (await ask(member_actor(mother), ENTRIES, stage="MONTHS_6_12", **dates)).codes == ["FORBIDDEN"]


async def test_the_festivals_of_some_days_are_told_in_the_callers_language(ask: Ask) -> None:
    query = """query($from: Date!, $to: Date!) {
      viewer { festivals(from: $from, to: $to) { code name on isSensitive } }
    }"""
    actor, days = await make_actor(), {"from": "2018-05-13", "to": "2018-06-01"}
    assert (await ask(actor, query, language="zh-Hans", **days)).data["viewer"]["festivals"] == [
        {"code": "MOTHERS_DAY", "name": "母亲节", "on": "2018-05-13", "isSensitive": True},
        {"code": "CHILDRENS_DAY", "name": "儿童节", "on": "2018-06-01", "isSensitive": True},
    ]
    for wrong in ({"from": "2018-06-02", "to": "2018-06-01"}, {"from": "2018-01-01", "to": "2020-01-01"},
                  {"from": "1850-01-01", "to": "1850-01-02"}):  # fmt: skip
        assert (await ask(actor, query, **wrong)).codes == ["BAD_USER_INPUT"]


async def test_a_feeding_profile_is_reported_once_a_key_and_read_back(ask: Ask) -> None:
    mother = await make_member()
    baby = await make_baby(mother, born_on=date(2017, 6, 3), born_source="MEMBER")
    await make_guardian_consent(baby, mother)
    report = """mutation($input: ReportFeedingInput!, $key: String!) {
      reportFeeding(input: $input, idempotencyKey: $key) {
        __typename
        ... on FeedingReported {
          baby { feeding feedingSource formulaStage formulaStageSince packsAtHome packsCountedOn }
        }
        ... on ValidationError { errors { field } }
      }
    }"""
    given = {"babyId": f"Baby:{baby.id}", "feeding": "FORMULA", "formulaStage": 2, "packsAtHome": 4}
    told = [(await ask(member_actor(mother), report, input=given, key="f")).data["reportFeeding"] for _ in range(2)]
    assert told[0] == told[1]
    assert told[0]["baby"] == {
        "feeding": "FORMULA", "feedingSource": "MEMBER", "formulaStage": 2, "formulaStageSince": "2017-12-15",
        "packsAtHome": 4, "packsCountedOn": "2017-12-15",
    }  # fmt: skip
    wrong = await ask(member_actor(mother), report, input={**given, "formulaStage": 7}, key="g")
    assert wrong.data["reportFeeding"] == {"__typename": "ValidationError", "errors": [{"field": "formulaStage"}]}
    assert (await ask(await make_actor(Role.ANALYST), report, input=given, key="h")).codes == ["FORBIDDEN"]
