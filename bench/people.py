"""The world's people, a chunk of members at a time: households, carers, babies, identities, tags, consents, scores.

Contacts can reach nobody. The first carers get the numbers +1 NPA 555-0100..0199 that are valid and assigned to no
one; there are some 44,000 of them, so later carers get numbers under +999, a country code that does not exist. All
e-mail addresses are under example.com. Every identity says is_synthetic, every fact about a baby SYNTHETIC.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import phonenumbers
import pyarrow as pa

from bench.catalogue import STAFF_A_STORE, TAGS, Catalogue
from bench.columns import (
    MILLISECONDS_A_DAY,
    Ints,
    Raw,
    blank,
    chosen,
    dates,
    fixed_text,
    hex_text,
    moments,
    numbered,
    same,
    uuid_text,
    uuids,
)
from bench.names import FULL_NAMES, INITIALS, KEYS, NICKNAME_KEYS, NICKNAMES
from bench.spec import CARERS_A_BLOCK, HOUSEHOLDS_A_BLOCK, MEMBERS_A_CHUNK, NOW_MS, SOURCE, TODAY, Batch, Spec

LONGEST_MEMBERSHIP_DAYS = 720
OLDEST_BABY_DAYS = 6 * 365
PREGNANCY_DAYS = 280
NUMBERS_AN_AREA = 100  # 555-0100..0199
CONSENTS = (("CARE", "SMS"), ("CARE", "EMAIL"), ("CARE", "CALL"), ("PROMOTION", "SMS"), ("PROMOTION", "EMAIL"))
CROSS_SELL_SCORES = 3


@dataclass(frozen=True, slots=True)
class Carers:
    """A chunk of members: what their purchases and interactions need."""

    ids: Raw
    number: Ints
    joined_ms: Ints
    store: Ints
    staff: Ints


def people(spec: Spec, shared: Catalogue, chunk: int) -> tuple[Carers, list[Batch]]:
    """The chunk's rows. Same spec and chunk, same rows, whatever was made before."""
    rng = spec.rng(1, chunk)
    first = chunk * MEMBERS_A_CHUNK
    number = np.arange(first, min(first + MEMBERS_A_CHUNK, spec.members), dtype=np.int64)
    joined_ms = NOW_MS - rng.integers(1, LONGEST_MEMBERSHIP_DAYS * MILLISECONDS_A_DAY, size=len(number))
    store = rng.integers(0, spec.stores, size=len(number))
    staff = store * STAFF_A_STORE + rng.integers(0, STAFF_A_STORE, size=len(number))
    carers = Carers(uuids(joined_ms, rng), number, joined_ms, store, staff)
    home = number // CARERS_A_BLOCK * HOUSEHOLDS_A_BLOCK + np.minimum(number % CARERS_A_BLOCK, HOUSEHOLDS_A_BLOCK - 1)
    _, founder, home_at = np.unique(home, return_index=True, return_inverse=True)
    home_ids = uuids(joined_ms[founder], rng)
    return carers, [
        _households(home_ids, home[founder], joined_ms[founder]),
        _members(carers, home_ids[home_at], shared, rng),
        _babies(home_ids, joined_ms[founder], rng),
        *_identities(carers, rng),
        _member_tags(carers, shared, rng),
        _consents(carers, rng),
        _scores(carers, shared, rng),
    ]


def _households(ids: Raw, number: Ints, joined_ms: Ints) -> Batch:
    return Batch(
        "households",
        {
            "id": uuid_text(ids),
            "source": same(SOURCE, len(ids)),
            "external_id": numbered("h", number, 8),
            "created_at": moments(joined_ms),
        },
    )


def _members(carers: Carers, home_ids: Raw, shared: Catalogue, rng: np.random.Generator) -> Batch:
    rows = len(carers.ids)
    name = rng.integers(0, len(FULL_NAMES), size=rows)
    return Batch(
        "members",
        {
            "id": uuid_text(carers.ids),
            "household_id": uuid_text(home_ids),
            "carer_role": chosen(["MOTHER", "FATHER", "GRANDPARENT"], rng.choice(3, size=rows, p=[0.8, 0.15, 0.05])),
            "full_name": chosen(FULL_NAMES, name),
            "name_source": same("SYNTHETIC", rows),
            "name_key": chosen(KEYS, name),
            "name_initials": chosen(INITIALS, name),
            "language": chosen(["en", "zh-Hans"], rng.integers(0, 2, size=rows)),
            "jurisdiction": same("US", rows),
            "time_zone": same("UTC", rows),
            "owner_id": uuid_text(shared.staff_ids[carers.staff], rng.random(rows) < 0.2),
            "store_id": uuid_text(shared.store_ids[carers.store]),
            "source": same(SOURCE, rows),
            "external_id": numbered("m", carers.number, 8),
            "joined_on": dates(carers.joined_ms // MILLISECONDS_A_DAY),
            "joined_channel": chosen(["STORE", "WECHAT", "CALL"], rng.choice(3, size=rows, p=[0.7, 0.2, 0.1])),
            "joined_by_id": uuid_text(shared.staff_ids[carers.staff]),
            "created_at": moments(carers.joined_ms),
            "updated_at": moments(carers.joined_ms),
        },
    )


def _babies(home_ids: Raw, joined_ms: Ints, rng: np.random.Generator) -> Batch:
    home = np.repeat(np.arange(len(home_ids)), rng.choice(4, size=len(home_ids), p=[0.15, 0.55, 0.27, 0.03]))
    rows = len(home)
    day = TODAY - rng.integers(-PREGNANCY_DAYS, OLDEST_BABY_DAYS, size=rows)
    unborn = day >= TODAY
    source = chosen(["SYNTHETIC"], np.zeros(rows, dtype=np.int64))
    nickname = rng.integers(0, len(NICKNAMES), size=rows)
    return Batch(
        "babies",
        {
            "id": uuid_text(uuids(joined_ms[home], rng)),
            "household_id": uuid_text(home_ids[home]),
            "nickname": chosen(NICKNAMES, nickname),
            "nickname_key": chosen(NICKNAME_KEYS, nickname),
            "sex": chosen(["FEMALE", "MALE", "UNKNOWN"], np.where(unborn, 2, rng.integers(0, 2, size=rows))),
            "due_on": dates(day, ~unborn),
            "due_source": blank(source, ~unborn),
            "due_confidence": blank(pa.repeat(pa.scalar(1.0), rows), ~unborn),
            "born_on": dates(day, unborn),
            "born_source": blank(source, unborn),
            "born_confidence": blank(pa.repeat(pa.scalar(1.0), rows), unborn),
            "presence_source": source,
            "feeding": chosen(
                ["BREAST", "MIXED", "FORMULA", "UNKNOWN"], np.where(unborn, 3, rng.integers(0, 4, size=rows))
            ),
            "created_at": moments(joined_ms[home]),
            "updated_at": moments(joined_ms[home]),
        },
    )


@cache
def areas() -> list[str]:
    """The area codes under which 555-0100..0199 are valid geographic numbers."""
    found = []
    for area in range(200, 1000):
        number = phonenumbers.parse(f"+1{area}5550100")
        geographic = phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE
        if phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) == geographic:
            found.append(str(area))
    return found


def valid_phones() -> int:
    """How many carers have a number that the library calls valid; the rest are under +999."""
    return len(areas()) * NUMBERS_AN_AREA


def phone(number: int) -> str:
    """The phone of one carer: E.164, distinct, and nobody's."""
    area, last = divmod(number, NUMBERS_AN_AREA)
    return f"+1{areas()[area]}55501{last:02d}" if number < valid_phones() else f"+999{number:09d}"


def _phones(number: Ints) -> Any:
    """`phone` of every carer of a chunk, without calling it a million times."""
    short = [phone(n) for n in number[number < valid_phones()].tolist()]
    return pa.concat_arrays([pa.array(short, pa.large_string()), numbered("+999", number[number >= valid_phones()], 9)])


def _identities(carers: Carers, rng: np.random.Generator) -> list[Batch]:
    everybody = np.arange(len(carers.ids))
    with_email = everybody[rng.random(len(everybody)) < 0.6]

    def identities(kind: str, who: Ints, value: Any, namespace: str = "") -> Batch:
        seen = moments(carers.joined_ms[who])
        return Batch(
            "identities",
            {
                "id": uuid_text(uuids(carers.joined_ms[who], rng)),
                "member_id": uuid_text(carers.ids[who]),
                "kind": same(kind, len(who)),
                "namespace": same(namespace, len(who)),
                "value": value,
                "is_synthetic": same(value=True, rows=len(who)),
                "first_seen_at": seen,
                "last_seen_at": seen,
            },
        )

    return [
        identities("PHONE", everybody, _phones(carers.number)),
        identities("CARD", everybody, numbered("9", carers.number, 11), SOURCE),
        identities("EMAIL", with_email, numbered("m", carers.number[with_email], 8, "@example.com")),
    ]


def _member_tags(carers: Carers, shared: Catalogue, rng: np.random.Generator) -> Batch:
    has = rng.random((len(carers.ids), len(TAGS))) < 0.2
    who, tag = np.nonzero(has)
    return Batch(
        "member_tags",
        {
            "id": uuid_text(uuids(carers.joined_ms[who], rng)),
            "tag_id": uuid_text(shared.tag_ids[tag]),
            "member_id": uuid_text(carers.ids[who]),
            "source": same("SYNTHETIC", len(who)),
            "set_at": moments(carers.joined_ms[who]),
        },
    )


def _consents(carers: Carers, rng: np.random.Generator) -> Batch:
    given = rng.random((len(carers.ids), len(CONSENTS))) < 0.7
    who, what = np.nonzero(given)
    purposes, channels = zip(*CONSENTS, strict=True)
    wording = np.broadcast_to(hex_text(np.zeros((1, 32), dtype=np.uint8)), (len(who), 64))
    return Batch(
        "consents",
        {
            "id": uuid_text(uuids(carers.joined_ms[who], rng)),
            "member_id": uuid_text(carers.ids[who]),
            "purpose": chosen(list(purposes), what),
            "channel": chosen(list(channels), what),
            "state": chosen(["GRANTED", "WITHDRAWN"], (rng.random(len(who)) < 0.03).astype(np.int64)),
            "given_at": moments(carers.joined_ms[who]),
            "source": same("SYNTHETIC", len(who)),
            "how": same("synthetic", len(who)),
            "text_version": same("synthetic", len(who)),
            "text_hash": fixed_text(wording),
        },
    )


def _scores(carers: Carers, shared: Catalogue, rng: np.random.Generator) -> Batch:
    """One churn row and three cross-sell rows a member, drawn at random: something to read, nothing to judge."""
    each = 1 + CROSS_SELL_SCORES
    who = np.repeat(np.arange(len(carers.ids)), each)
    place = np.tile(np.arange(each), len(carers.ids))
    first = rng.integers(0, len(shared.category_names), size=len(carers.ids))
    category: npt.NDArray[np.int64] = np.where(place == 0, -1, (first[who] + place * 7) % len(shared.category_names))
    reason = '[{"code": "RECENCY_DAYS", "values": {"days": 12}}]'
    return Batch(
        "scores",
        {
            "member_id": uuid_text(carers.ids[who]),
            "model_name": chosen(["churn", "cross_sell"], np.minimum(place, 1)),
            "category": chosen([*shared.category_names, ""], category % (len(shared.category_names) + 1)),
            "probability": pa.array(np.round(rng.random(len(who)), 4)),
            "rank": pa.array(np.where(place == 0, carers.number[who] + 1, place)),
            "reasons": same(reason, len(who)),
            "model_id": uuid_text(np.broadcast_to(shared.model_id, (len(who), 16))),
            "as_of": dates(np.full(len(who), TODAY)),
        },
    )
