"""Hours: when contact is allowed where she lives. Pure; all moments are aware, answers are UTC."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=600)
def zone(name: str) -> ZoneInfo:
    """The zone, or UTC for a name that nobody knows."""
    return ZoneInfo(name if name in _zone_names() else "UTC")


def midnight(day: date, zone_name: str) -> datetime:
    return datetime.combine(day, time(), zone(zone_name)).astimezone(UTC)


def is_open(at: datetime, zones: tuple[str, ...], hours: tuple[time, time] | None) -> bool:
    if hours is None:
        return True
    opens, closes = hours
    return all(opens <= at.astimezone(zone(name)).time() < closes for name in zones)


def next_open(at: datetime, zones: tuple[str, ...], hours: tuple[time, time] | None) -> datetime | None:
    """The first moment from `at` on at which contact hours run in every zone; None when they never meet."""
    moment = at.astimezone(UTC)
    for _ in range(16):  # each round moves past a closing time in some zone; hours meet within two days or never
        if is_open(moment, zones, hours):
            return moment
        assert hours is not None
        moment = max(_opening(moment, zone(name), hours) for name in zones)
    return None


def _opening(at: datetime, where: ZoneInfo, hours: tuple[time, time]) -> datetime:
    """`at` when it is within the zone's hours, else their next opening."""
    opens, closes = hours
    local = at.astimezone(where)
    if opens <= local.time() < closes:
        return at
    day = local.date() if local.time() < opens else local.date() + timedelta(days=1)
    return datetime.combine(day, opens, where).astimezone(UTC)
