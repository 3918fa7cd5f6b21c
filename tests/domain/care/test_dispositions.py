"""Retries fall into calling hours, whatever the zone and the season."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from domain.care.dispositions import CALLING_HOURS, into_calling_hours
from tests.properties import holds_for

ZONES = ["UTC", "Asia/Shanghai", "America/New_York", "Africa/Cairo", "America/Santiago", "Pacific/Apia"]


@holds_for(
    st.datetimes(datetime(2017, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    st.sampled_from(ZONES),
    many=5_000,
)
def test_a_retry_is_never_earlier_nor_at_night(at: datetime, zone: str) -> None:
    moved = into_calling_hours(at, zone)
    assert at <= moved <= at + timedelta(hours=14)
    assert CALLING_HOURS[0] <= moved.astimezone(ZoneInfo(zone)).time() < CALLING_HOURS[1]
    assert into_calling_hours(moved, zone) == moved
