"""Landing imported members: what may land is written set by set, what stands in the way becomes a row's issue.

A phone or e-mail that several rows share stays evidence of each: the first holder answers look-ups, nobody is merged.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.commerce.store_imports import stores_by_code
from domain.database import connection
from domain.people.identities import SHAREABLE, IdentityKind
from domain.people.identity_blocks import BLOCKING, WHY_BLOCKED, BlockReason, flaw_of, is_test_value, standing_blocks
from domain.people.member_imports import KIND, GivenMember, member_of
from domain.people.names import name_initials, name_key
from domain.people.provenance import CONFIDENCE
from domain.people.tombstones import Named, buried
from domain.platform.clock import business_now, local_day
from domain.platform.ids import new_id
from domain.platform.import_rows import ERASED, LANDED, REPEATED, Cells, Issue, Row, RowOutcome
from domain.platform.imports import Lander
from domain.platform.sources import Source


def member_lander(*, phone_region: str, zone: ZoneInfo) -> Lander:
    """Lands a chunk of members inside the caller's transaction, about a dozen statements whatever its size."""

    async def land(source: str, rows: Sequence[Row]) -> list[RowOutcome]:
        now = await business_now()
        outcomes: list[RowOutcome] = [LANDED] * len(rows)
        right: list[tuple[int, GivenMember]] = []
        read_rows = [member_of(row, phone_region=phone_region, zone=zone, now=now) for row in rows]
        gone = await _gone(source, rows, read_rows, zone)
        for place, read in enumerate(read_rows):
            if place in gone:
                outcomes[place] = ERASED
            elif isinstance(read, Cells):
                outcomes[place] = tuple(read.issues)
            else:
                right.append((place, read))
        new: list[GivenMember] = []
        for (place, given), verdict in zip(right, await _verdicts(source, [g for _, g in right], zone), strict=True):
            outcomes[place] = verdict
            if verdict == LANDED:
                new.append(given)
        if new:
            await _write(source, new, zone, now)
        return outcomes

    return land


async def _gone(source: str, rows: Sequence[Row], read_rows: Sequence[GivenMember | Cells], zone: ZoneInfo) -> set[int]:
    """The places of rows about people who were erased: a file written before it, or without it, brings nobody back.

    Nothing of such a row is kept, right or wrong. Who joined after that day, as the file itself says, came back by her
    own will; and a phone or e-mail that somebody holds today is that person's.
    """
    names = [_named(source, row, read) for row, read in zip(rows, read_rows, strict=True)]
    found = await buried(name for of_row in names for name in of_row)
    if not found:
        return set()
    shared = await connection().execute_query_dict(
        "SELECT DISTINCT kind, value FROM identities WHERE value = ANY($1::text[])",
        [[name.value for name in found if name.kind in SHAREABLE]],
    )
    living = {(row["kind"], row["value"]) for row in shared}
    gone = set()
    for place, (row, read) in enumerate(zip(rows, read_rows, strict=True)):
        days = [local_day(found[n], zone) for n in names[place] if n in found and (n.kind, n.value) not in living]
        told = bool((row.values.get("joined_on") or "").strip())
        is_back = told and isinstance(read, GivenMember) and all(read.joined_on > day for day in days)
        if days and not is_back:
            gone.add(place)
    return gone


def _named(source: str, row: Row, read: GivenMember | Cells) -> list[Named]:
    """Of a row that reads badly, what can be told without reading it."""
    told = {name: (row.values.get(name) or "").strip() for name in ("external_id", "card")}
    names = [Named(IdentityKind.EXTERNAL_ID, told["external_id"], source), Named(IdentityKind.CARD, told["card"])]
    if isinstance(read, GivenMember):
        names += [Named(IdentityKind.PHONE, read.phone or ""), Named(IdentityKind.EMAIL, read.email or "")]
    return [name for name in names if name.value]


async def _verdicts(source: str, given: list[GivenMember], zone: ZoneInfo) -> list[RowOutcome]:
    """For each row: landed (it may), repeated, or what stands in the way. The first of two in one chunk counts."""
    hashes = await _landed_before(source, given)
    cards = await _card_holders([g.card for g in given if g.card])
    blocked = await _blocked(given)
    stores = await stores_by_code(source, [(g.store, g.store_name) for g in given if g.store], str(zone))
    verdicts: list[RowOutcome] = []
    for g in given:
        before = hashes.get(g.external_id)
        issues = []
        if before == g.payload_hash:
            verdicts.append(REPEATED)
            continue
        if before is not None:
            issues.append(CHANGED)
        if g.card in cards:
            issues.append(CARD_TAKEN)
        issues += [issue for column, value in _names(g) if (issue := blocked.get((column, value))) is not None]
        if g.store and g.store not in stores:
            issues.append(UNKNOWN_STORE)
        if not issues:
            hashes[g.external_id] = g.payload_hash
            cards |= {g.card} if g.card else set()
        verdicts.append(tuple(issues) or LANDED)
    return verdicts


CHANGED = Issue(
    "external_id", "payload_changed",
    "A member with this id is here and says something else; imports overwrite nobody. Change her at the desk.",
)  # fmt: skip
CARD_TAKEN = Issue("card", "card_taken", "Another member holds this card: find out whose it is.")
STORE_PHONE = Issue("phone", "store_phone", "That is a store's own number: ask her for hers, or leave it empty.")
UNKNOWN_STORE = Issue("store", "unknown_store", "No such store in this source: fill store_name to create it.")


async def _landed_before(source: str, given: list[GivenMember]) -> dict[str, str]:
    """Payload hash by external id; a member who came otherwise than by an import has none that is equal."""
    rows = await connection().execute_query_dict(
        "SELECT m.external_id, coalesce(r.payload_hash, '') AS payload_hash FROM members m "
        "LEFT JOIN imported_rows r ON r.kind = $1 AND r.source = m.source AND r.external_id = m.external_id "
        "WHERE m.source = $2 AND m.external_id = ANY($3::text[])",
        [KIND, source, [g.external_id for g in given]],
    )
    return {row["external_id"]: row["payload_hash"] for row in rows}


async def _card_holders(cards: list[str]) -> set[str | None]:
    rows = await connection().execute_query_dict(
        "SELECT DISTINCT value FROM identities WHERE kind = 'CARD' AND value = ANY($1::text[])", [cards]
    )
    return {row["value"] for row in rows}


def _names(given: GivenMember) -> list[tuple[IdentityKind, str]]:
    held = ((IdentityKind.PHONE, given.phone), (IdentityKind.EMAIL, given.email), (IdentityKind.CARD, given.card))
    return [(kind, value) for kind, value in held if value]


async def _blocked(given: list[GivenMember]) -> dict[tuple[IdentityKind, str], Issue]:
    """What names nobody, and why; a phone in quarantine is kept as evidence and is no issue."""
    names = [name for one in given for name in _names(one)]
    standing = await standing_blocks(names)
    blocks: dict[tuple[IdentityKind, str], BlockReason] = {n: why for n, why in standing.items() if why in BLOCKING}
    for kind, value in names:
        flaw = flaw_of(kind, value, is_synthetic=True)  # test numbers are marked when kept
        if flaw is not None:
            blocks.setdefault((kind, value), flaw)
    return {
        name: STORE_PHONE if reason is BlockReason.STORE_PHONE
        else Issue(name[0].value.lower(), "blocked_value", WHY_BLOCKED[reason][0])
        for name, reason in blocks.items()
    }  # fmt: skip


async def _write(source: str, new: list[GivenMember], zone: ZoneInfo, now: datetime) -> None:
    households = await _households(source, new)
    stores = await stores_by_code(source, [(g.store, None) for g in new if g.store], str(zone))
    members = {g.external_id: new_id() for g in new}
    await _insert(
        "INSERT INTO members (id, household_id, source, external_id, full_name, name_source, name_key, name_initials, "
        "carer_role, language, jurisdiction, time_zone, store_id, joined_on, joined_channel, joined_campaign)",
        ("uuid", "uuid", "text", "text", "text", "text", "text", "text", "text", "text", "text", "text", "uuid", "date",
         "text", "text"),
        (
            (members[g.external_id], households[_household_key(g)], source, g.external_id, g.name,
             Source.IMPORT.value if g.name else None, name_key(g.name) if g.name else None,
             name_initials(g.name) if g.name else None, g.carer_role.value, g.language, g.jurisdiction, g.time_zone,
             stores[g.store] if g.store else None, g.joined_on, g.joined_channel and g.joined_channel.value, g.campaign)
            for g in new
        ),
    )  # fmt: skip
    await _insert(
        "INSERT INTO imported_rows (kind, source, external_id, payload_hash)", ("text", "text", "text", "text"),
        ((KIND, source, g.external_id, g.payload_hash) for g in new),
    )  # fmt: skip
    await _identities(source, new, members, now)
    await _consents(new, members)
    await _tags(source, new, members, now)
    await _babies(new, households)


async def _insert(head: str, types: Sequence[str], rows: Iterator[tuple[object, ...]], tail: str = "") -> None:
    """One INSERT of many rows by unnest, a type a column; nothing when there are none."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        places = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, 1))
        await connection().execute_query(f"{head} SELECT * FROM unnest({places}) {tail}", columns)


def _household_key(given: GivenMember) -> str:
    """Without a household of her own a carer is one."""
    return f"household:{given.household}" if given.household else f"member:{given.external_id}"


async def _households(source: str, new: list[GivenMember]) -> dict[str, UUID]:
    keys = list(dict.fromkeys(_household_key(g) for g in new))
    await _insert(
        "INSERT INTO households (id, source, external_id)", ("uuid", "text", "text"),
        ((new_id(), source, key) for key in keys), "ON CONFLICT (source, external_id) DO NOTHING",
    )  # fmt: skip
    rows = await connection().execute_query_dict(
        "SELECT external_id, id FROM households WHERE source = $1 AND external_id = ANY($2::text[])", [source, keys]
    )
    return {row["external_id"]: row["id"] for row in rows}


PRIMARY = """
INSERT INTO identities (id, member_id, kind, namespace, value, is_synthetic, first_seen_at, last_seen_at, is_primary)
SELECT g.id, g.member_id, g.kind, g.namespace, g.value, g.synthetic, $7, $7, $8
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bool[])
    AS g (id, member_id, kind, namespace, value, synthetic)
"""


async def _identities(source: str, new: list[GivenMember], members: dict[str, UUID], now: datetime) -> None:
    """Hers alone where nobody holds it; a phone or e-mail that somebody holds is kept beside as evidence.

    A card that was registered at a desk a moment ago violates the constraint: the chunk is tried again and sees it.
    """
    rows = [
        (new_id(), members[g.external_id], kind, namespace, value, is_test_value(IdentityKind(kind), value))
        for g in new
        for kind, namespace, value in (
            ("EXTERNAL_ID", source, g.external_id), ("CARD", "", g.card), ("PHONE", "", g.phone), ("EMAIL", "", g.email)
        )
        if value
    ]  # fmt: skip
    strong = [row for row in rows if row[2] in ("EXTERNAL_ID", "CARD")]
    shareable = [row for row in rows if row[2] in ("PHONE", "EMAIL")]
    await connection().execute_query(PRIMARY, [*_columns(strong), now, True])
    if not shareable:
        return
    held = await connection().execute_query_dict(
        f"{PRIMARY} ON CONFLICT (kind, namespace, value) WHERE is_primary DO NOTHING RETURNING id",
        [*_columns(shareable), now, True],
    )
    primary = {row["id"] for row in held}
    shared = [row for row in shareable if row[0] not in primary]
    if shared:
        await connection().execute_query(PRIMARY, [*_columns(shared), now, False])


def _columns(rows: list[tuple[UUID, UUID, str, str, str, bool]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def _consents(new: list[GivenMember], members: dict[str, UUID]) -> None:
    await _insert(
        "INSERT INTO consents (id, member_id, purpose, channel, state, given_at, source, how, text_version, text_hash)",
        ("uuid", "uuid", "text", "text", "text", "timestamptz", "text", "text", "text", "text"),
        (
            (new_id(), members[g.external_id], purpose.value, channel.value, "GRANTED", g.consent_at, "IMPORT",
             "import", g.consent_version, hashlib.sha256(g.consent_text.encode()).hexdigest())
            for g in new for purpose, channel in g.consents
        ),
    )  # fmt: skip


async def _tags(source: str, new: list[GivenMember], members: dict[str, UUID], now: datetime) -> None:
    keys = sorted({key for g in new for key in g.tags})
    if not keys:
        return
    await _insert(
        "INSERT INTO tags (id, key, family, label_en, label_zh, description)",
        ("uuid", "text", "text", "text", "text", "text"),
        ((new_id(), key, "ATTRIBUTE", key, key, f"Came with an import of {source}") for key in keys),
        "ON CONFLICT (key) DO NOTHING",
    )
    rows = await connection().execute_query_dict("SELECT key, id FROM tags WHERE key = ANY($1::text[])", [keys])
    ids = {row["key"]: row["id"] for row in rows}
    await _insert(
        "INSERT INTO member_tags (id, tag_id, member_id, source, evidence, set_at)",
        ("uuid", "uuid", "uuid", "text", "text", "timestamptz"),
        (
            (new_id(), ids[key], members[g.external_id], "IMPORT", f"import of {source}", now)
            for g in new
            for key in g.tags
        ),
    )


BABIES = """
INSERT INTO babies (id, household_id, nickname, nickname_key, sex, born_on, born_source, born_confidence, due_on,
                    due_source, due_confidence, presence_source, presence_confidence)
SELECT g.id, g.household_id, g.nickname, g.nickname_key, g.sex,
       g.born_on, CASE WHEN g.born_on IS NOT NULL THEN 'IMPORT' END,
       CASE WHEN g.born_on IS NOT NULL THEN c.confidence END,
       g.due_on, CASE WHEN g.due_on IS NOT NULL THEN 'IMPORT' END, CASE WHEN g.due_on IS NOT NULL THEN c.confidence END,
       'IMPORT', c.confidence
FROM (
    -- a household that was merged away is looked at as the family that it became
    SELECT g.*, coalesce(h.merged_into_id, h.id) AS family_id
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::date[], $7::date[])
        AS g (id, household_id, nickname, nickname_key, sex, born_on, due_on)
    JOIN households h ON h.id = g.household_id
) g, (SELECT $8::float8 AS confidence) c
WHERE NOT EXISTS (
    SELECT FROM babies b
    WHERE b.household_id = g.family_id AND b.born_on IS NOT DISTINCT FROM g.born_on
      AND (g.born_on IS NOT NULL OR b.due_on IS NOT DISTINCT FROM g.due_on)
) AND NOT EXISTS (
    -- a file that was written before a loss, or without it, does not bring the baby back under another date
    SELECT FROM babies b
    WHERE b.household_id = g.family_id AND b.stopped_at IS NOT NULL
      AND coalesce(abs(coalesce(b.born_on, b.due_on) - coalesce(g.born_on, g.due_on)) <= 182, true)
)
"""


async def _babies(new: list[GivenMember], households: dict[str, UUID]) -> None:
    """A baby whom another carer of the family brought already, stopped or not, is not added again."""
    told: dict[tuple[object, ...], tuple[object, ...]] = {}
    for g in new:
        hers: Counter[tuple[object, ...]] = Counter()
        for b in g.babies:
            dates = (households[_household_key(g)], b.born_on, b.due_on)
            hers[dates] += 1  # twins are two of one date
            key = name_key(b.nickname) if b.nickname else None
            told.setdefault(
                (*dates, hers[dates]), (new_id(), dates[0], b.nickname, key, b.sex.value, b.born_on, b.due_on)
            )
    if told:
        columns = [list(column) for column in zip(*told.values(), strict=True)]
        await connection().execute_query(BABIES, [*columns, CONFIDENCE[Source.IMPORT]])
