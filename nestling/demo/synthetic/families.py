"""Babies of the demo: baskets hint that there is one (INFERRED); her dates are made up (SYNTHETIC)."""

import hashlib
from collections.abc import Callable
from datetime import datetime

import asyncpg

from domain.people.baby_inference import infer_babies
from domain.people.names import name_key
from domain.platform.ids import new_id
from nestling.demo.purchases.staging import added_rows, connected, stage
from nestling.demo.synthetic import words
from nestling.demo.synthetic.children import Child, Signs, children, other_children

SIGNS = """
SELECT h.id AS household_id, h.external_id AS number, m.language, b.id AS baby_id,
       count(DISTINCT o.id)::int AS baskets,
       coalesce(bool_or(p.baby_class = 'FORMULA' AND p.formula_class <> 'GROWING_UP'), false) AS formula,
       coalesce(bool_or(p.formula_class = 'GROWING_UP'), false) AS toddler_formula,
       coalesce(bool_or(p.product_type = 'BABY FOOD - BEGINNER'), false) AS first_food,
       coalesce(bool_or(p.baby_class = 'BABY_FOOD' AND p.product_type <> 'BABY FOOD - BEGINNER'), false) AS later_food,
       coalesce(bool_or(p.baby_class = 'DIAPER'), false) AS diapers
FROM babies b
JOIN households h ON h.id = b.household_id AND h.source = 'completejourney'
JOIN members m ON m.household_id = h.id
LEFT JOIN (
    orders o JOIN order_lines l ON l.order_id = o.id
    JOIN products p ON p.id = l.product_id AND p.baby_class IN ('FORMULA', 'DIAPER', 'BABY_FOOD')
) ON o.member_id = m.id AND o.ordered_at >= $1::timestamptz - interval '180 days' AND o.ordered_at < $1
WHERE b.id = ANY ($2::uuid[])
GROUP BY h.id, h.external_id, m.language, b.id
"""

# Inferred and nothing more is known; whom a person or a member spoke of since has another version.
UNFILLED = """
SELECT b.id FROM babies b JOIN households h ON h.id = b.household_id
WHERE h.source = 'completejourney' AND b.presence_source = 'INFERRED' AND b.due_on IS NULL AND b.born_on IS NULL
  AND b.stopped_at IS NULL AND b.version = 1
"""

CHILDLESS = """
SELECT h.id AS household_id, h.external_id AS number, m.language
FROM households h JOIN members m ON m.household_id = h.id
WHERE h.source = 'completejourney' AND NOT EXISTS (SELECT FROM babies b WHERE b.household_id = h.id)
"""

FILL = """
UPDATE babies b
SET due_on = s.due_on, due_source = CASE WHEN s.due_on IS NOT NULL THEN 'SYNTHETIC' END,
    born_on = s.born_on, born_source = CASE WHEN s.born_on IS NOT NULL THEN 'SYNTHETIC' END,
    gestation_weeks = s.gestation_weeks, nickname = s.nickname, nickname_key = s.nickname_key, sex = s.sex,
    feeding = s.feeding, feeding_since = CASE WHEN s.feeding <> 'UNKNOWN' THEN s.born_on END
FROM staged_babies s WHERE b.id = s.id AND s.is_hinted
"""

ADD = """
INSERT INTO babies (id, household_id, due_on, due_source, born_on, born_source, gestation_weeks, nickname, nickname_key,
                    sex, feeding, feeding_since, presence_source, presence_confidence)
SELECT id, household_id, due_on, CASE WHEN due_on IS NOT NULL THEN 'SYNTHETIC' END,
       born_on, CASE WHEN born_on IS NOT NULL THEN 'SYNTHETIC' END, gestation_weeks, nickname, nickname_key,
       sex, feeding, CASE WHEN feeding <> 'UNKNOWN' THEN born_on END, 'SYNTHETIC', 1.0
FROM staged_babies WHERE NOT is_hinted
"""

# Made up like the feeding that it allows to be kept.
ALLOW = """
INSERT INTO guardian_consents (id, baby_id, member_id, state, given_at, source, how, text_version, text_hash)
SELECT s.consent_id, s.id, m.id, 'GRANTED', $1, 'SYNTHETIC', 'synthetic', 'demo-1', $2
FROM staged_babies s
CROSS JOIN LATERAL (SELECT c.id FROM members c WHERE c.household_id = s.household_id ORDER BY c.id LIMIT 1) m
WHERE s.feeding <> 'UNKNOWN'
"""

COLUMNS = (
    "id uuid, household_id uuid, is_hinted bool, due_on date, born_on date, gestation_weeks int2, nickname text, "
    "nickname_key text, sex text, feeding text, consent_id uuid"
)


async def add_babies(url: str, *, now: datetime, say: Callable[[str], None] = lambda _: None) -> dict[str, int]:
    """Infer babies from the baskets before `now`, then make up the dates of those that have none yet.

    Needs the ORM open on the same database. The first time a few households without hints get wholly made-up children
    too. A second call at the same `now` adds nothing; one that was killed is finished by the next.
    """
    async with connected(url) as to:
        is_first = not await to.fetchval("SELECT EXISTS (SELECT FROM babies WHERE presence_source = 'SYNTHETIC')")
        inferred = await infer_babies(now)
        await to.execute("ANALYZE babies, members")  # both were filled a moment ago
        async with to.transaction():
            undated = await to.fetch(UNFILLED)
            made = await _make(to, [row["id"] for row in undated], now, with_others=is_first)
    say(f"{len(inferred):,} hinted at by baskets, {made:,} more made up")
    return {"inferred": len(inferred), "made_up": made}


async def _make(to: asyncpg.Connection, babies: list[object], now: datetime, *, with_others: bool) -> int:
    records: list[tuple[object, ...]] = []
    for row in await to.fetch(SIGNS, now, babies):
        signs = Signs(
            row["baskets"], row["formula"], row["toddler_formula"], row["first_food"], row["later_food"], row["diapers"]
        )
        records += [
            _record(child, row["baby_id"] if child.is_hinted else new_id(), row["household_id"])
            for child in children(int(row["number"]), signs, now.date(), row["language"])
        ]
    if with_others:
        for row in await to.fetch(CHILDLESS):
            made = other_children(int(row["number"]), now.date(), row["language"])
            records += [_record(child, new_id(), row["household_id"]) for child in made]
    await stage(to, "staged_babies", COLUMNS, records)
    await to.execute(FILL)
    added = added_rows(await to.execute(ADD))
    await to.execute(ALLOW, now, hashlib.sha256(words.CONSENT_TEXT.encode()).hexdigest())
    return added


def _record(child: Child, baby_id: object, household_id: object) -> tuple[object, ...]:
    key = name_key(child.nickname) if child.nickname else None
    return (
        baby_id, household_id, child.is_hinted, child.due_on, child.born_on, child.gestation_weeks, child.nickname, key,
        child.sex.value, child.feeding.value, new_id(),
    )  # fmt: skip
