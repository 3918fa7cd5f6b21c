"""The house's day: one and the same in Python and in SQL, whatever the zone and the hour."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.database import connection
from domain.platform.clock import business_day, business_day_sql, local_day, set_business_clock

ZONES = ("UTC", "America/New_York", "Asia/Shanghai", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago")


@pytest.mark.parametrize("hour", [0, 5, 9, 10, 11, 16, 18, 23])
async def test_the_house_has_one_day_at_a_time(db: str, hour: int) -> None:
    """Half an hour past, so that no zone's midnight comes while this runs."""
    now = datetime(2018, 3, 11, hour, 31, tzinfo=UTC)  # clocks go forward in New York
    await set_business_clock(now)
    for zone in ZONES:
        [row] = await connection().execute_query_dict(f"SELECT {business_day_sql('$1::text')} AS day", [zone])
        assert await business_day(zone) == local_day(now, zone) == local_day(now, ZoneInfo(zone)) == row["day"], zone
    assert local_day(now, "Pacific/Kiritimati") > local_day(now, "Pacific/Pago_Pago")


def test_a_day_begins_at_local_midnight() -> None:
    before, after = (datetime(2017, 12, 14, 15, 59, 59, tzinfo=UTC), datetime(2017, 12, 14, 16, tzinfo=UTC))
    assert [local_day(at, "Asia/Shanghai") for at in (before, after)] == [date(2017, 12, 14), date(2017, 12, 15)]
