"""Places: language, jurisdiction and time zone, the columns that law and wording read."""

from functools import lru_cache
from zoneinfo import available_timezones

from domain.platform.failures import FieldError


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def place_flaws(language: str | None, jurisdiction: str | None, time_zone: str | None) -> list[FieldError]:
    """What is wrong with the columns that law and language read; none is skipped."""
    flaws = []
    if language is not None and not 2 <= len(language) <= 16:
        flaws.append(FieldError("language", "A BCP 47 tag, such as en or zh-Hans."))
    if jurisdiction is not None and not (len(jurisdiction) == 2 and jurisdiction.isupper()):
        flaws.append(FieldError("jurisdiction", "Two capital letters of ISO 3166."))
    if time_zone is not None and time_zone not in _zones():
        flaws.append(FieldError("timeZone", "A zone of the IANA database, such as Asia/Shanghai."))
    return flaws
