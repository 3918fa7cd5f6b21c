"""Synthetic people into the database: names, contacts, consents, owners and what was said, for who has none."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import asyncpg

from domain.people.names import name_initials, name_key
from domain.platform.ids import new_id
from nestling.demo.purchases.staging import added_rows, connected, stage
from nestling.demo.synthetic import words
from nestling.demo.synthetic.persons import Person, person
from nestling.demo.synthetic.staff import add_staff

TAG_KEY = "demo.synthetic_person"
RECENT = timedelta(days=120)
PEOPLE_LOCK = 0x7065_6F70  # "peop": two runs at once would give everybody two sets of consents


@dataclass(frozen=True, slots=True)
class PeopleCounts:
    members: int
    identities: int
    consents: int
    interactions: int
    staff: int


@dataclass(frozen=True, slots=True)
class Known:
    """A member of the source as the database knows her: her household's number, her first purchase, her person."""

    member_id: UUID
    household: int
    since: datetime
    person: Person


async def add_people(url: str, *, now: datetime, say: Callable[[str], None] = lambda _: None) -> PeopleCounts:
    """Give every member of the source who has no name yet a synthetic person. One transaction, idempotent."""
    async with connected(url) as to, to.transaction():
        await to.execute("SELECT pg_advisory_xact_lock($1)", PEOPLE_LOCK)
        staff = await add_staff(to)
        known = [
            Known(row["id"], int(row["external_id"]), row["since"], person(int(row["external_id"])))
            for row in await to.fetch(UNNAMED)
        ]
        await to.execute(HOME_STORES)
        await _name(to, known)
        identities = await _identities(to, known)
        consents = await _consents(to, known, now)
        interactions = await _interactions(to, known, now)
        await _mark(to, known, now)
    say(f"{len(known):,} people with {identities:,} contacts and {consents:,} consents")
    return PeopleCounts(len(known), identities, consents, interactions, staff)


UNNAMED = """
SELECT m.id, m.external_id, i.first_seen_at AS since
FROM members m
JOIN identities i ON i.member_id = m.id AND i.kind = 'EXTERNAL_ID' AND i.namespace = 'completejourney'
WHERE m.source = 'completejourney' AND m.full_name IS NULL ORDER BY m.id
"""

# Home store: where she bought most often so far. Only who has none gets one; a person may have moved her since.
HOME_STORES = """
UPDATE members m SET store_id = home.store_id
FROM (
    SELECT DISTINCT ON (o.member_id) o.member_id, o.store_id
    FROM orders o JOIN members w ON w.id = o.member_id
    WHERE w.source = 'completejourney' AND w.store_id IS NULL AND o.store_id IS NOT NULL
    GROUP BY o.member_id, o.store_id
    ORDER BY o.member_id, count(*) DESC, max(o.ordered_at) DESC, o.store_id
) home
WHERE m.id = home.member_id AND m.store_id IS NULL
"""


NAME = """
UPDATE members m
SET full_name = s.full_name, name_key = s.name_key, name_initials = s.name_initials, name_source = 'SYNTHETIC',
    language = s.language, jurisdiction = s.jurisdiction, carer_role = s.carer_role, owner_id = w.id
FROM staged_people s LEFT JOIN staff w ON w.source = 'synthetic' AND w.external_id = s.owner
WHERE m.id = s.member_id AND m.full_name IS NULL
"""


async def _name(to: asyncpg.Connection, known: list[Known]) -> None:
    records = [
        (
            k.member_id, k.person.full_name, name_key(k.person.full_name), name_initials(k.person.full_name),
            k.person.language, k.person.jurisdiction, k.person.carer_role.value,
            f"consultant-{k.person.consultant}" if k.person.consultant else None,
        )
        for k in known
    ]  # fmt: skip
    await stage(
        to, "staged_people",
        "member_id uuid, full_name text, name_key text, name_initials text, language text, jurisdiction text, "
        "carer_role text, owner text", records,
    )  # fmt: skip
    await to.execute(NAME)


IDENTITIES = """
INSERT INTO identities (id, member_id, kind, namespace, value, is_synthetic, first_seen_at, last_seen_at)
SELECT id, member_id, kind, namespace, value, true, since, since FROM staged_identities
ON CONFLICT DO NOTHING
"""


async def _identities(to: asyncpg.Connection, known: list[Known]) -> int:
    def records() -> Iterator[tuple[object, ...]]:
        for k in known:
            p = k.person
            contacts = [("PHONE", "", p.phone), ("EMAIL", "", p.email), ("CARD", "", p.card)]
            contacts += [("WECOM_EXTERNAL_ID", "demo", p.wecom)] if p.wecom else []
            for kind, namespace, value in contacts:
                yield new_id(), k.member_id, kind, namespace, value, k.since

    columns = "id uuid, member_id uuid, kind text, namespace text, value text, since timestamptz"
    await stage(to, "staged_identities", columns, records())
    return added_rows(await to.execute(IDENTITIES))


CONSENTS = """
INSERT INTO consents (id, member_id, purpose, channel, state, given_at, source, how, text_version, text_hash)
SELECT id, member_id, purpose, channel, state, given_at, 'SYNTHETIC', 'synthetic', 'demo-1', $1 FROM staged_consents
"""


async def _consents(to: asyncpg.Connection, known: list[Known], now: datetime) -> int:
    records = (
        (new_id(), k.member_id, c.purpose.value, c.channel.value, c.state.value, k.since + (now - k.since) * c.share)
        for k in known
        for c in k.person.consents
    )
    columns = "id uuid, member_id uuid, purpose text, channel text, state text, given_at timestamptz"
    await stage(to, "staged_consents", columns, records)
    return added_rows(await to.execute(CONSENTS, hashlib.sha256(words.CONSENT_TEXT.encode()).hexdigest()))


INTERACTIONS = """
INSERT INTO interactions (id, member_id, kind, channel, direction, occurred_at, topic, note, staff_id, store_id, source,
                          external_id, is_synthetic)
SELECT s.id, s.member_id, s.kind, s.channel, s.direction, s.occurred_at, s.topic, s.note,
       CASE WHEN s.kind <> 'VISIT' THEN m.owner_id END, CASE WHEN s.kind = 'VISIT' THEN m.store_id END,
       'synthetic', s.external_id, true
FROM staged_interactions s JOIN members m ON m.id = s.member_id
ON CONFLICT (source, external_id) DO NOTHING
"""


async def _interactions(to: asyncpg.Connection, known: list[Known], now: datetime) -> int:
    columns = (
        "id uuid, member_id uuid, kind text, channel text, direction text, occurred_at timestamptz, topic text, "
        "note text, external_id text"
    )
    await stage(to, "staged_interactions", columns, (told for k in known for told in _told(k, now)))
    return added_rows(await to.execute(INTERACTIONS))


def _told(k: Known, now: datetime) -> Iterator[tuple[object, ...]]:
    """Nothing for half of them; for the others up to three visits, calls and chats within four months."""
    draw = Random(f"interactions {k.household}")
    if draw.random() < 0.5:
        return
    kinds = [("VISIT", "STORE", "INBOUND"), ("CALL", "CALL", "OUTBOUND")]
    kinds += [("CHAT", "WECOM", "INBOUND")] if k.person.wecom else []
    since = max(k.since, now - RECENT)
    for number in range(draw.randint(1, 3)):
        kind, channel, direction = draw.choice(kinds)
        topic, note = draw.choice(words.SAID[kind][k.person.language])
        day = (since + (now - since) * draw.random()).replace(minute=draw.randint(0, 59), second=0, microsecond=0)
        at = min(max(day.replace(hour=draw.randint(9, 19)), since), now)
        yield new_id(), k.member_id, kind, channel, direction, at, topic, note, f"{k.household}-{number}"


MARK = """
INSERT INTO member_tags (id, tag_id, member_id, source, evidence, set_at)
SELECT s.id, t.id, s.member_id, 'SYNTHETIC', 'drawn from the household''s number', $2
FROM staged_marks s JOIN tags t ON t.key = $1
ON CONFLICT DO NOTHING
"""


async def _mark(to: asyncpg.Connection, known: list[Known], now: datetime) -> None:
    """A tag anybody can see: this person is made up, her purchases are not."""
    await to.execute(
        "INSERT INTO tags (id, key, family, label_en, label_zh, description) VALUES ($1, $2, 'ATTRIBUTE', "
        "'Made-up person', '虚构人物', $3) ON CONFLICT (key) DO NOTHING",
        new_id(), TAG_KEY,
        "Name, contacts, language, jurisdiction, role, consents, owner, baby dates and conversations are synthetic.",
    )  # fmt: skip
    await stage(to, "staged_marks", "id uuid, member_id uuid", [(new_id(), k.member_id) for k in known])
    await to.execute(MARK, TAG_KEY, now)
