"""Stages and ages as people say them: week 32, 5 months 12 days; 孕32周, 5个月12天."""

from domain.stages.calendar import Age
from domain.stages.engine import Reading
from domain.stages.rules import Stage

NAMES: dict[Stage, tuple[str, str]] = {
    Stage.UNKNOWN: ("Stage not known", "阶段未知"),
    Stage.TRIMESTER_1: ("First trimester", "孕早期"),
    Stage.TRIMESTER_2: ("Second trimester", "孕中期"),
    Stage.TRIMESTER_3: ("Third trimester", "孕晚期"),
    Stage.NEWBORN: ("Newborn", "新生儿"),
    Stage.MONTHS_1_3: ("1-3 months", "1–3个月"),
    Stage.MONTHS_3_6: ("3-6 months", "3–6个月"),
    Stage.MONTHS_6_12: ("6-12 months", "6–12个月"),
    Stage.MONTHS_12_24: ("12-24 months", "12–24个月"),
    Stage.MONTHS_24_36: ("24-36 months", "24–36个月"),
    Stage.YEARS_3_6: ("3-6 years", "3–6岁"),
    Stage.GRADUATED: ("6 years and older", "6岁以上"),
}


def is_chinese(language: str) -> bool:
    """zh, zh-Hans, zh-CN, ...: the tags that read 简体中文 here."""
    return language.lower().split("-")[0] == "zh"


def stage_name(stage: Stage, language: str) -> str:
    return NAMES[stage][is_chinese(language)]


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def say_age(age: Age, language: str) -> str:
    """Days alone in the first month; months and days to two years (Chinese: years from one); then years and months."""
    chinese = is_chinese(language)
    years, months = divmod(age.months, 12)
    if age.months >= (12 if chinese else 24):
        if chinese:
            return f"{years}岁{months}个月" if months else f"{years}岁"
        return f"{_count(years, 'year')} {_count(months, 'month')}" if months else _count(years, "year")
    if age.months == 0:
        return f"{age.days}天" if chinese else _count(age.days, "day")
    if chinese:
        return f"{age.months}个月{age.days}天" if age.days else f"{age.months}个月"
    return f"{_count(age.months, 'month')} {_count(age.days, 'day')}" if age.days else _count(age.months, "month")


def say(reading: Reading, language: str) -> str:
    """The baby's week or age in one short phrase; empty when nothing is known."""
    if reading.week is not None:
        return f"孕{reading.week}周" if is_chinese(language) else f"week {reading.week}"
    return say_age(reading.age, language) if reading.age is not None else ""
