"""Members out of a file: one row a carer, with her contacts, consents, tags and up to two babies."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import orjson

from domain.people.babies import Sex
from domain.people.dates import Standing, birth_flaws, due_flaws
from domain.people.members import NAME_LENGTH, CarerRole
from domain.people.phones import EMAIL_LENGTH, normalised_email, normalised_phone
from domain.people.places import NOT_A_COUNTRY, NOT_A_LANGUAGE, canonical_language, countries, place_flaws
from domain.platform.clock import local_day
from domain.platform.import_rows import Cells, Column, Flawed, Row, read_choice, read_date, read_time, refuse_rounded
from domain.platform.sources import Channel, Purpose

KIND = "members"

COLUMNS = (
    Column("external_id", "The source's own id of the carer; the same id again is the same person.", is_required=True),
    Column("name", "Her name as she writes it."),
    Column("phone", "With country code, or as written in the installation's region (PHONE_REGION)."),
    Column("email", "E-mail address."),
    Column("card", "Member card number. One card is one person: a second holder waits."),
    Column("household", "The source's id of the family; carers with the same value share babies."),
    Column("carer_role", "MOTHER, FATHER, GRANDPARENT, NANNY, OTHER or UNKNOWN."),
    Column("language", "What she reads, as a BCP 47 tag: en, zh-Hans, pt-BR. Default en."),
    Column("jurisdiction", "ISO 3166-1 country whose law binds: US, CN, GB. Never guessed from the phone. Default US."),
    Column("time_zone", "IANA zone, such as Asia/Shanghai. Default: the installation's TIME_ZONE."),
    Column("store", "Code of her home store in this source."),
    Column("store_name", "With it an unknown store is created."),
    Column("joined_on", "When she joined. Default: today."),
    Column("joined_channel", "SMS, EMAIL, CALL, WECHAT, WECOM, PUSH, POS_PROMPT, DIRECT_MAIL or STORE."),
    Column("campaign", "What she joined through."),
    Column("tags", "Keys of tags, separated by spaces: interest.organic vip. Unknown ones are added to the catalogue."),
    Column("consents", "What she allowed, as PURPOSE:CHANNEL separated by spaces: CARE:SMS PROMOTION:EMAIL."),
    Column("consent_at", "When she allowed it. Needed with consents."),
    Column("consent_version", "Which wording she saw. Needed with consents."),
    Column("consent_text", "The wording itself, kept as a hash. Needed with consents."),
    Column("baby_nickname", "Nickname of a baby."),
    Column("baby_born_on", "Birth date of that baby."),
    Column("baby_due_on", "Due date of that baby, when she is not born yet."),
    Column("baby_sex", "FEMALE, MALE or UNKNOWN."),
    Column("baby2_nickname", "The same of a second baby (a twin or a sibling)."),
    Column("baby2_born_on", "Birth date of the second baby."),
    Column("baby2_due_on", "Due date of the second baby."),
    Column("baby2_sex", "Sex of the second baby."),
)


@dataclass(frozen=True, slots=True)
class GivenBaby:
    nickname: str | None
    born_on: date | None
    due_on: date | None
    sex: Sex


@dataclass(frozen=True)
class GivenMember:
    """A row that reads well; whether it may land the database says."""

    external_id: str
    household: str | None
    name: str | None
    phone: str | None
    email: str | None
    card: str | None
    carer_role: CarerRole
    language: str
    jurisdiction: str
    time_zone: str
    store: str | None
    store_name: str | None
    joined_on: date
    joined_channel: Channel | None
    campaign: str | None
    tags: tuple[str, ...] = ()
    consents: tuple[tuple[Purpose, Channel], ...] = ()
    consent_at: datetime | None = None
    consent_version: str = ""
    consent_text: str = ""
    babies: tuple[GivenBaby, ...] = field(default=())
    payload_hash: str = ""


def member_of(row: Row, *, phone_region: str, zone: ZoneInfo, now: datetime) -> GivenMember | Cells:
    """The row as values, or the cells with everything that is wrong with them. `now`: business clock."""
    cells = Cells(row)
    today = local_day(now, zone)
    external_id = cells.text("external_id", 200, is_required=True)
    language = cells.read("language", _language) or "en"
    jurisdiction = cells.read("jurisdiction", _country) or "US"
    time_zone = cells.text("time_zone", 64) or str(zone)
    for flaw in place_flaws(None, None, time_zone):
        cells.wrong("time_zone", "bad_choice", flaw.message)
    joined_on = cells.read("joined_on", _past_date(today)) or today
    consents = cells.read("consents", _consents, 500) or ()
    version, text = cells.text("consent_version", 64) or "", cells.text("consent_text", 4_000) or ""
    consent_at = cells.read("consent_at", _past_time(zone, now))
    if consents and not (consent_at and version and text):
        cells.wrong("consents", "no_evidence", "A consent needs consent_at, consent_version and consent_text.")
    given = GivenMember(
        external_id=external_id or "",
        household=cells.text("household", 200),
        name=cells.text("name", NAME_LENGTH),
        phone=cells.read("phone", _phone(phone_region), 64),
        email=cells.read("email", _email, EMAIL_LENGTH),
        card=cells.read("card", refuse_rounded, 128),
        carer_role=cells.read("carer_role", read_choice(CarerRole)) or CarerRole.UNKNOWN,
        language=language,
        jurisdiction=jurisdiction,
        time_zone=time_zone,
        store=cells.text("store", 200),
        store_name=cells.text("store_name", 200),
        joined_on=joined_on,
        joined_channel=cells.read("joined_channel", read_choice(Channel)),
        campaign=cells.text("campaign", 100),
        tags=cells.read("tags", _tags, 1_000) or (),
        consents=consents,
        consent_at=consent_at,
        consent_version=version,
        consent_text=text,
        babies=tuple(b for b in (_baby(cells, prefix, today) for prefix in ("baby", "baby2")) if b),
        payload_hash=_hash(row),
    )
    return cells if cells.issues else given


def _hash(row: Row) -> str:
    """SHA-256 of what the row says; empty cells, blanks around and columns that we do not know do not count."""
    cells = ((column.name, (row.values.get(column.name) or "").strip()) for column in COLUMNS)
    said = {name: value for name, value in cells if value}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _baby(cells: Cells, prefix: str, today: date) -> GivenBaby | None:
    nickname = cells.text(f"{prefix}_nickname", 100)
    born_on, due_on = cells.read(f"{prefix}_born_on", read_date), cells.read(f"{prefix}_due_on", read_date)
    sex = cells.read(f"{prefix}_sex", read_choice(Sex))
    flaws = birth_flaws(born_on, None, Standing(), today) if born_on else []
    flaws += due_flaws(due_on, today) if due_on and not born_on else []
    for flaw in flaws:
        cells.wrong(prefix + {"bornOn": "_born_on", "dueOn": "_due_on"}[flaw.field], "unlikely_date", flaw.message)
    if not (nickname or born_on or due_on or sex):
        return None
    return GivenBaby(nickname, born_on, due_on, sex or Sex.UNKNOWN)


def _past_date(today: date) -> Callable[[str], date]:
    def read(text: str) -> date:
        found = read_date(text)
        if not date(1990, 1, 1) <= found <= today:
            raise Flawed("unlikely_date", "A day between 1990 and today.")
        return found

    return read


def _past_time(zone: ZoneInfo, now: datetime) -> Callable[[str], datetime]:
    def read(text: str) -> datetime:
        found = read_time(zone)(text)
        if not datetime(1990, 1, 1, tzinfo=UTC) <= found <= now:
            raise Flawed("unlikely_date", "A time between 1990 and now.")
        return found

    return read


def _language(text: str) -> str:
    found = canonical_language(text)
    if found is None:
        raise Flawed("bad_language", NOT_A_LANGUAGE.message)
    return found


def _country(text: str) -> str:
    if text.upper() not in countries():
        raise Flawed("bad_country", NOT_A_COUNTRY.message)
    return text.upper()


def _phone(region: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        found = normalised_phone(refuse_rounded(text), region)
        if found is None:
            raise Flawed("bad_phone", "No valid number: write it with its country code, such as +86 138 0013 8000.")
        return found

    return read


def _email(text: str) -> str:
    found = normalised_email(text)
    if found is None:
        raise Flawed("bad_email", "This cannot be an e-mail address.")
    return found


def _tags(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(text.lower().replace(";", " ").split()))
    if any(len(key) > 100 for key in found):
        raise Flawed("too_long", "A tag's key has at most 100 characters.")
    return found


def _consents(text: str) -> tuple[tuple[Purpose, Channel], ...]:
    found = []
    for pair in text.upper().replace(";", " ").split():
        purpose, _, channel = pair.partition(":")
        if purpose not in Purpose.__members__ or channel not in Channel.__members__:
            raise Flawed("bad_choice", "PURPOSE:CHANNEL, such as CARE:SMS; purposes are CARE, SERVICE and PROMOTION.")
        found.append((Purpose(purpose), Channel(channel)))
    return tuple(dict.fromkeys(found))
