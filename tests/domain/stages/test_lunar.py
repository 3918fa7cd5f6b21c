"""The Chinese calendar of one library, held against another of different make, 2017 to 2040."""

from datetime import date, timedelta

from borax.calendars.lunardate import TERMS_CN, LunarDate, TermUtils

from domain.stages.lunar import lunar_on, next_lunar_birthday, term_on

YEARS = range(2017, 2041)


def test_every_lunar_month_is_where_the_oracle_has_it() -> None:
    """By its first days and its end: those between only count on."""
    day, seen = date(2017, 1, 1), 0
    while day < date(2041, 1, 1):
        told = LunarDate.from_solar(day)
        if not told.leap and told.day in (1, 2, 29, 30):
            assert lunar_on(told.year, told.month, told.day) == day
            seen += 1
        day += timedelta(days=1)
    assert seen > 1_000


def test_every_solar_term_is_on_the_oracles_day() -> None:
    assert len(TERMS_CN) == 24
    for year in YEARS:
        for name in TERMS_CN:
            assert term_on(year, name) == TermUtils.day_start_from_term(year, name), (year, name)


def test_a_lunar_birthday_comes_once_a_lunar_year() -> None:
    born_on = date(2016, 10, 15)  # the 15th of the 9th month
    assert LunarDate.from_solar(born_on).strftime("%m-%d") == "9-15"
    assert next_lunar_birthday(born_on, born_on) == date(2017, 11, 3)
    assert next_lunar_birthday(born_on, date(2017, 11, 3)) == date(2017, 11, 3)
    assert next_lunar_birthday(born_on, date(2017, 11, 4)) == date(2018, 10, 23)


def test_born_in_a_leap_month_or_on_a_30th_she_has_a_birthday_every_year() -> None:
    for born_on in (date(2017, 8, 10), date(2017, 2, 25)):  # the leap 6th month; the 30th of the 1st
        told, on = LunarDate.from_solar(born_on), born_on
        for year in range(told.year + 1, 2040):
            on = next_lunar_birthday(born_on, on + timedelta(days=1))
            its = LunarDate.from_solar(on)
            assert (its.year, its.month, its.leap) == (year, told.month, 0)
            is_last = LunarDate.from_solar(on + timedelta(days=1)).month != its.month
            assert its.day == told.day or (told.day == 30 and is_last)
