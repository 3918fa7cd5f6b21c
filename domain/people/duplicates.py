"""Duplicates: who may be one person, by a name and something else that they share. Looked for whenever that changes.

The database notes whom to look at (`duplicate_looks`, by triggers on members, identities and babies, as of segments'
facts: docs/adr/0015). A pair that is found waits for a person as a merge suggestion; nobody is merged here.
"""

from dataclasses import dataclass
from uuid import UUID

from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.scopes import GONE

BATCH = 2_000
"""Members looked at in one transaction."""
MOST_HOLDERS = 5
"""Of one phone or address: what more people share says nothing about any two of them."""

CONFIDENCE = {"SAME_NAME_AND_EMAIL": 0.8, "SAME_NAME_AND_BABY": 0.6, "SAME_NAME_AND_PHONE": 0.5}
"""How likely it is that they are one, by what they share beside the name. Our own judgement."""
SURE = " ".join(f"WHEN '{code}' THEN {sure}" for code, sure in CONFIDENCE.items())


class DuplicateLook(Model):
    """Somebody to look at. A line is not unique, so that two writers of one member never wait for each other."""

    id = fields.BigIntField(primary_key=True, generated=True)
    member_id = fields.UUIDField()

    class Meta:
        table = "duplicate_looks"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to."""

    looked: int  # members looked at
    suggested: int  # pairs that nobody had been asked about before

    @property
    def line(self) -> str:
        return f"{self.looked} members looked at, {self.suggested} pairs suggested"


# All that is noted of each of them: she is looked at once.
TAKE = """
SELECT t.id, t.member_id FROM duplicate_looks t
WHERE t.member_id IN (SELECT member_id FROM (SELECT member_id FROM duplicate_looks ORDER BY id LIMIT $1) oldest)
"""

# A name alone, and a birthday alone, are everybody's: a child counts where both name the same store, and only by a day
# that somebody said. Families who lost a child are nobody's question.
FIND = f"""
WITH looked AS (
    SELECT m.id, m.household_id, m.name_key, m.store_id FROM members m
    WHERE m.id = ANY($1::uuid[]) AND m.status NOT IN {GONE} AND m.name_key <> ''
), shared AS (
    SELECT l.id AS a, o.id AS b, 'SAME_NAME_AND_' || mine.kind AS code, mine.kind
    FROM looked l
    JOIN identities mine ON mine.member_id = l.id AND mine.kind IN ('EMAIL', 'PHONE')
    JOIN identities theirs ON theirs.value = mine.value AND theirs.kind = mine.kind
        AND theirs.namespace = mine.namespace AND theirs.member_id <> l.id
    JOIN members o ON o.id = theirs.member_id AND o.name_key = l.name_key AND o.household_id <> l.household_id
        AND o.status NOT IN {GONE}
    WHERE (
        SELECT count(*) FROM (
            SELECT FROM identities few WHERE few.value = mine.value AND few.kind = mine.kind
                AND few.namespace = mine.namespace LIMIT {MOST_HOLDERS} + 1
        ) few
    ) <= {MOST_HOLDERS}
    UNION
    SELECT l.id, o.id, 'SAME_NAME_AND_BABY', NULL
    FROM looked l
    JOIN babies mine ON mine.household_id = l.household_id
    JOIN members o ON o.store_id = l.store_id AND o.name_key = l.name_key AND o.household_id <> l.household_id
        AND o.status NOT IN {GONE}
    JOIN babies theirs ON theirs.household_id = o.household_id AND theirs.born_on = mine.born_on
    WHERE mine.born_source <> 'INFERRED' AND theirs.born_source <> 'INFERRED'
        AND mine.stopped_at IS NULL AND theirs.stopped_at IS NULL
), pairs AS (
    SELECT least(a, b) AS one, greatest(a, b) AS other, code, kind FROM shared GROUP BY 1, 2, 3, 4
)
SELECT one, other, max(CASE code {SURE} END) AS sure,
    jsonb_agg(jsonb_build_object(
        'code', code, 'kinds', CASE WHEN kind IS NULL THEN '[]'::jsonb ELSE jsonb_build_array(kind) END,
        'verified_by', ''
    ) ORDER BY code)::text AS evidence
FROM pairs p
WHERE NOT EXISTS (
    SELECT FROM merge_suggestions s JOIN members x ON x.id = s.one_id JOIN members y ON y.id = s.other_id
    WHERE s.state = 'NEVER' AND coalesce(x.merged_into_id, x.id) IN (p.one, p.other)
        AND coalesce(y.merged_into_id, y.id) IN (p.one, p.other)
)
GROUP BY one, other ORDER BY one, other
"""

# What is new to a pair that waits is added to it; a pair that somebody decided stays decided.
TELL = """
WITH told AS (
    INSERT INTO merge_suggestions AS s (id, one_id, other_id, state, evidence, confidence, suggested_at)
    SELECT gen_random_uuid(), g.one, g.other, 'OPEN', g.evidence::jsonb, g.sure, clock_timestamp()
    FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::text[]) AS g (one, other, sure, evidence)
    ON CONFLICT (one_id, other_id) DO UPDATE SET
        evidence = s.evidence || (
            SELECT coalesce(jsonb_agg(e), '[]') FROM jsonb_array_elements(excluded.evidence) e
            WHERE NOT s.evidence @> jsonb_build_array(jsonb_build_object('code', e -> 'code'))
        ),
        confidence = greatest(s.confidence, excluded.confidence)
    WHERE s.state = 'OPEN'
    RETURNING (xmax = 0) AS is_new
)
SELECT count(*) FILTER (WHERE is_new)::int AS n FROM told
"""


async def find() -> Found:
    """Look at everybody who is noted, a batch a transaction; killed at any line, the rest waits for the next call.

    Safe beside writers and beside itself: whoever changes while she is looked at is noted anew, and a pair stands once.
    """
    looked = suggested = 0
    while True:
        members, new = await _look()
        looked, suggested = looked + members, suggested + new
        if not members:
            return Found(looked, suggested)


async def _look() -> tuple[int, int]:
    """One batch: how many members there were to look at, and how many pairs were new."""
    async with in_transaction():
        run = connection().execute_query_dict
        taken = await run(TAKE, [BATCH])
        if not taken:
            return 0, 0
        members: list[UUID] = sorted({row["member_id"] for row in taken})
        pairs = await run(FIND, [members])
        new = await run(TELL, [[row[name] for row in pairs] for name in ("one", "other", "sure", "evidence")])
        await run("DELETE FROM duplicate_looks WHERE id = ANY($1::bigint[])", [[row["id"] for row in taken]])
        return len(members), int(new[0]["n"])
