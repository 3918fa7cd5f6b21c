"""Active has one definition: in Python and in SQL it is the same."""

from datetime import UTC, datetime

import pytest

from domain.database import connection
from domain.people.activity import active_since, is_active, is_active_sql


@pytest.mark.parametrize(
    "at",
    [
        datetime(2017, 5, 31, 10, tzinfo=UTC),
        datetime(2020, 5, 31, tzinfo=UTC),
        datetime(2018, 1, 15, 23, 59, tzinfo=UTC),
        datetime(2017, 12, 15, 10, tzinfo=UTC),
        datetime(2018, 3, 31, 1, tzinfo=UTC),
    ],
)
async def test_three_months_are_the_same_in_python_and_in_sql(db: str, at: datetime) -> None:
    row = (await connection().execute_query_dict("SELECT $1::timestamptz - interval '3 months' AS since", [at]))[0]
    assert active_since(at) == row["since"]


async def test_a_purchase_within_three_months_makes_active_and_a_later_one_is_unseen(db: str) -> None:
    at = datetime(2017, 12, 15, 10, tzinfo=UTC)
    edge = active_since(at)
    cases = {None: False, edge: False, edge.replace(microsecond=1): True, at: True, at.replace(hour=11): False}
    for last, expected in cases.items():
        assert is_active(last, at) is expected
    statement = f"""
        WITH orders AS (SELECT 1 AS member_id, $1::timestamptz AS ordered_at)
        SELECT {is_active_sql("1", "$2")} AS active
    """
    for last, expected in cases.items():
        assert (await connection().execute_query_dict(statement, [last, at]))[0]["active"] is expected
