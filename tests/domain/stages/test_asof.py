"""Stages as SQL: every baby reads as the pure engine reads her, on any day and by any plan."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest

from domain.database import connection
from domain.platform.parameters import Parameters
from domain.stages.asof import birth_ladder, due_ladder, enters_sql, in_stage_sql, stage_sql
from domain.stages.engine import BabyDates, read
from domain.stages.rules import PLANS, RULES, AgeBasis, Span, Stage, StageRules, rules_on

DAY = timedelta(days=1)
ON = date(2017, 12, 15)
TURN = ON + timedelta(days=20)
LATER = replace(
    RULES,
    version="stages-test",
    effective_from=TURN,
    childhood={**RULES.childhood, Stage.MONTHS_3_6: Span(3, 7), Stage.MONTHS_6_12: Span(7, 12)},
    pregnancy={**RULES.pregnancy, Stage.TRIMESTER_1: Span(0, 13), Stage.TRIMESTER_2: Span(13, 28)},
    corrected_until_months=18,
)
BABIES = "unnest($1::date[], $2::date[], $3::int[]) WITH ORDINALITY AS b(born_on, due_on, gestation_weeks, n)"
ASKED = [date(2016, 2, 28), date(2016, 2, 29), date(2016, 3, 1), date(2017, 4, 30), ON, TURN - DAY, TURN]
HOW_MANY = [
    pytest.param(5_000, id="few"),
    pytest.param(100_000, id="many", marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
]


def random_babies(count: int, seed: int) -> list[BabyDates]:
    """Born and expected, preterm and at term, on month ends and leap days more often than chance has it."""
    chance = random.Random(seed)  # test data
    edges = [date(2016, 2, 29), date(2012, 2, 29), date(2017, 1, 31), date(2017, 8, 31), date(2016, 11, 30)]

    def day(low: int, high: int) -> date:
        return chance.choice(edges) if chance.random() < 0.1 else ON + timedelta(days=chance.randint(low, high))

    return [
        BabyDates(
            born_on=day(-7 * 366, 200) if chance.random() < 0.7 else None,
            due_on=day(-400, 400) if chance.random() < 0.6 else None,
            gestation_weeks=chance.choice([None, None, 20, 28, 32, 36, 37, 40, 42]),
        )
        for _ in range(count)
    ]


async def asked(sql: Callable[..., str], babies: Sequence[BabyDates]) -> list[object]:
    """What an SQL expression over `b` says of each baby; `sql` makes it, given what makes placeholders."""
    parameters = Parameters()
    for column in ("born_on", "due_on", "gestation_weeks"):
        parameters([getattr(one, column) for one in babies])
    expression = sql(lambda value, kind: f"{parameters(value)}::{kind}")
    rows = await connection().execute_query_dict(f"SELECT {expression} AS said FROM {BABIES} ORDER BY n", parameters)
    return [row["said"] for row in rows]


def told(dates: BabyDates, on: date, basis: AgeBasis, plans: tuple[StageRules, ...] = PLANS) -> Stage:
    """The oracle: the pure engine."""
    reading = read(dates, on, rules_on(on, plans))
    return reading.stage if basis is AgeBasis.CHRONOLOGICAL else reading.care_stage


@pytest.mark.parametrize("count", HOW_MANY)
async def test_every_baby_is_in_the_stage_that_the_engine_reads(db: None, count: int) -> None:
    babies = random_babies(count, seed=7)
    for on in ASKED:
        for basis in AgeBasis:
            said = await asked(lambda place, on=on, basis=basis: stage_sql(place, "b", on, basis), babies)
            assert said == [told(one, on, basis) for one in babies], f"{on} {basis}"
        born, due = birth_ladder(on), due_ladder(on)
        by_hand = [
            born.stage(one.born_on) if one.born_on else due.stage(one.due_on) if one.due_on else Stage.UNKNOWN
            for one in babies
        ]
        assert by_hand == [told(one, on, AgeBasis.CHRONOLOGICAL) for one in babies]


async def test_who_is_in_a_stage_is_a_range_of_dates(db: None) -> None:
    babies = random_babies(1_000, seed=8)
    for stage in set(Stage) - {Stage.UNKNOWN}:
        said = await asked(lambda place, stage=stage: f"coalesce({in_stage_sql(place, 'b', stage, ON)}, false)", babies)
        assert said == [read(one, ON).stage is stage for one in babies], stage
        assert any(said), stage


def entered(
    dates: BabyDates, stage: Stage, first: date, last: date, basis: AgeBasis, plans: tuple[StageRules, ...]
) -> bool:
    """Day by day, as the engine reads them."""
    stages = [told(dates, first + n * DAY, basis, plans) for n in range(-1, (last - first).days + 1)]
    return any(here is stage and before is not stage for before, here in pairwise(stages))


@pytest.mark.parametrize("count", HOW_MANY)
@pytest.mark.parametrize("plans", [PLANS, (RULES, LATER)], ids=["one plan", "two plans"])
async def test_who_enters_a_stage_is_whom_the_engine_reads_into_it(
    db: None, count: int, plans: tuple[StageRules, ...]
) -> None:
    stages = [stage for stage in Stage if stage is not Stage.UNKNOWN]
    spans = [(ON - 12 * DAY, ON), (date(2016, 2, 26), date(2016, 3, 2)), (TURN - 3 * DAY, TURN + 2 * DAY), (TURN, TURN)]
    babies, found = random_babies(count, seed=9), 0
    for number, stage in enumerate(stages):
        share = babies[number :: len(stages)]  # each baby is asked for one stage
        for first, last in spans:
            for basis in AgeBasis:
                said = await asked(
                    lambda place, stage=stage, first=first, last=last, basis=basis: (
                        f"coalesce({enters_sql(place, 'b', stage, first, last, basis, plans)}, false)"
                    ),
                    share,
                )
                assert said == [entered(one, stage, first, last, basis, plans) for one in share], (stage, first, basis)
                found += said.count(True)
    assert found > 50


async def test_every_stage_is_entered_by_those_who_stand_at_its_edge(db: None) -> None:
    """Random babies seldom hit an edge, so aim at it: each date around a year of edges, preterm or not."""
    babies = [
        BabyDates(born_on=ON - n * DAY, gestation_weeks=weeks) for n in range(-2, 2_300) for weeks in (None, 20, 32)
    ]
    babies += [BabyDates(due_on=ON + n * DAY) for n in range(-20, 300)]
    for stage in set(Stage) - {Stage.UNKNOWN}:
        for basis in AgeBasis:
            said = await asked(
                lambda place, stage=stage, basis=basis: (
                    f"coalesce({enters_sql(place, 'b', stage, ON, ON, basis)}, false)"
                ),
                babies,
            )
            assert said == [entered(one, stage, ON, ON, basis, PLANS) for one in babies], (stage, basis)
            assert any(said), (stage, basis)


def test_a_day_is_read_by_the_plan_that_was_in_force_on_it() -> None:
    plans = (RULES, LATER)
    assert [rules_on(day, plans).version for day in (date(1999, 1, 1), TURN - DAY, TURN)] == [
        RULES.version, RULES.version, LATER.version,
    ]  # fmt: skip
    assert enters_sql(lambda _value, _kind: "", "b", Stage.UNKNOWN, ON, ON) is None
