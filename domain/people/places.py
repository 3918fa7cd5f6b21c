"""Places: language, jurisdiction and time zone, the columns that law and wording read."""

from functools import lru_cache
from importlib.resources import files
from zoneinfo import available_timezones

from babel.core import Locale, get_global, parse_locale

from domain.platform.failures import FieldError

LANGUAGE_LENGTH = 16
NO_LANGUAGE = {"und", "mul", "zxx"}  # undetermined, several, none: tags of texts, which nobody reads in

NOT_A_LANGUAGE = FieldError(
    "language",
    "No language of BCP 47 that we know: write its code, with script or country where it matters, such as en, zh-Hans "
    "or pt-BR.",
    "不是已知的 BCP 47 语言标签：请填写语言代码，必要时加文字或国家，例如 en、zh-Hans 或 pt-BR。",
)
NOT_A_COUNTRY = FieldError(
    "jurisdiction",
    "No country of ISO 3166-1: write its two capital letters, such as US, CN or GB.",
    "不是 ISO 3166-1 的国家代码：请填写两个大写字母，例如 US、CN 或 GB。",
)
NOT_A_ZONE = FieldError("timeZone", "A zone of the IANA database, such as Asia/Shanghai.")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """Every ISO 3166-1 alpha-2 code, as the time zone database's own table has them."""
    table = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text("utf-8")
    return frozenset(line.partition("\t")[0] for line in table.splitlines() if not line.startswith("#"))


@lru_cache(maxsize=1)
def _known() -> tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str]]:
    """Languages, scripts, regions and variants of the Unicode CLDR. Old codes of languages count: iw, tl, in."""
    english = Locale("en")
    languages, scripts, regions, variants = (
        {str(code) for code in names}
        for names in (english.languages, english.scripts, english.territories, english.variants)
    )
    languages |= {code for code in get_global("language_aliases") if len(code) == 2}
    regions = {code for code in regions if code.isdigit()} | countries()
    return frozenset(languages - NO_LANGUAGE), frozenset(scripts), frozenset(regions), frozenset(variants)


@lru_cache(maxsize=1_024)
def canonical_language(tag: str) -> str | None:
    """A BCP 47 tag of language, script, region and variant in the usual letter case (`zh-hans-cn` is zh-Hans-CN).

    None when it is malformed, longer than we keep, or names something that nobody registered.
    """
    if len(tag) > LANGUAGE_LENGTH or not tag.isascii():
        return None
    try:
        language, region, script, variant = parse_locale(tag, sep="-")[:4]
    except ValueError:
        return None
    known = zip((language, script, region, variant), _known(), strict=True)
    if any(part is not None and part not in parts for part, parts in known):
        return None
    return "-".join(part for part in (language, script, region, variant and variant.lower()) if part)


def place_flaws(language: str | None, jurisdiction: str | None, time_zone: str | None) -> list[FieldError]:
    """What is wrong with the columns that law and language read; none is skipped."""
    flaws = []
    if language is not None and canonical_language(language) is None:
        flaws.append(NOT_A_LANGUAGE)
    if jurisdiction is not None and jurisdiction not in countries():
        flaws.append(NOT_A_COUNTRY)
    if time_zone is not None and time_zone not in _zones():
        flaws.append(NOT_A_ZONE)
    return flaws
