"""The Chinese calendar: lunar days, lunar birthdays and solar terms, by a library; a test holds it against a second."""

from datetime import date
from functools import lru_cache

from lunar_python import Lunar, LunarYear, Solar

FIRST_YEAR, LAST_YEAR = 1901, 2099


@lru_cache(maxsize=256)
def lunar_on(year: int, month: int, day: int) -> date:
    """The date of a day of a lunar year that begins within `year`; a month without a 30th day ends with its 29th."""
    days = LunarYear.fromYear(year).getMonth(month).getDayCount()
    return _date(Lunar.fromYmd(year, month, min(day, days)).getSolar())


@lru_cache(maxsize=256)
def term_on(year: int, name: str) -> date:
    """The day of a solar term, named in Chinese, in a year."""
    table = Lunar.fromYmd(year, 6, 1).getJieQiTable()  # the terms from one winter solstice to beyond the next
    found = [_date(moment) for known, moment in table.items() if known == name]
    if name == "冬至":
        found = [_date(table["DONG_ZHI"])]
    assert found, f"{name} is no solar term"
    return found[0]


def next_lunar_birthday(born_on: date, on: date) -> date:
    """Her next birthday by the lunar calendar, today included and never the day of birth itself.

    Born in a leap month, she has it in the ordinary month of that number; born on a 30th, on the month's last day.
    """
    born = Solar.fromYmd(born_on.year, born_on.month, born_on.day).getLunar()
    month, day = abs(born.getMonth()), born.getDay()
    years = range(max(on.year - 1, born.getYear() + 1), on.year + 2)
    return next(found for found in (lunar_on(year, month, day) for year in years) if found >= on)


def _date(solar: Solar) -> date:
    return date(solar.getYear(), solar.getMonth(), solar.getDay())
