"""The demo's example: the member whose profile shows most, for whoever looks at one family first."""

from typing import Any

from domain.database import connection
from domain.platform.tokens import issue_member_token
from nestling.demo.logins import TOKEN_TTL
from nestling.demo.place import Place
from nestling.demo.steps import Work

# One point for each part of a profile that has something in it; then more of it; then the source's own id, so that the
# same demo shows the same member on every machine. $1: only members of the advisor's own store, whom she may see there.
SHOWS_MOST = """
SELECT m.id, i.value AS phone, f.name, found.points
FROM members m
JOIN identities i ON i.member_id = m.id AND i.kind = 'PHONE' AND i.is_primary
LEFT JOIN staff f ON f.id = m.owner_id
CROSS JOIN LATERAL (
    SELECT (SELECT count(DISTINCT coalesce(b.born_on, b.due_on)) FROM babies b
            WHERE b.household_id = m.household_id AND b.stopped_at IS NULL) AS ages,
        (SELECT count(*) FROM member_tags u JOIN tags t ON t.id = u.tag_id
            WHERE u.member_id = m.id AND t.key <> 'demo.synthetic_person') AS tags,
        (SELECT count(*) FROM orders o WHERE o.member_id = m.id) AS orders,
        (SELECT count(DISTINCT s.model_name) FROM scores s
            WHERE s.member_id = m.id AND jsonb_array_length(s.reasons::jsonb) > 0) AS models,
        (SELECT count(*) FROM messages x
            WHERE x.member_id = m.id AND x.channel <> 'CALL' AND x.state <> 'SUPPRESSED') AS messages,
        (SELECT count(*) FROM callback_tasks t WHERE t.member_id = m.id AND t.state = 'OPEN') AS calls,
        (SELECT count(*) FROM interactions n WHERE n.member_id = m.id) AS talks
) has
CROSS JOIN LATERAL (
    SELECT (has.ages > 0)::int + (has.ages > 1)::int + (has.tags > 0)::int + (f.id IS NOT NULL)::int
        + (has.orders > 2)::int + has.models + (has.messages > 0)::int + (has.calls > 0)::int + (has.talks > 0)::int
        AS points
) found
WHERE m.status = 'ACTIVE'
    AND (NOT $1 OR m.store_id = (SELECT store_id FROM staff WHERE source = 'synthetic' AND external_id = 'advisor-1'))
ORDER BY found.points DESC, has.ages DESC, has.talks DESC, has.orders DESC,
    m.source COLLATE "C", m.external_id COLLATE "C"
LIMIT 1
"""


async def choose_example(work: Work) -> dict[str, Any]:
    """The example's phone and token, and the phone that the store page finds; what scripts already know is kept."""
    place = Place(work.settings.DATA_DIR)
    kept: dict[str, str] = place.secrets().get("tokens", {})
    if "member" not in kept:
        (example,) = await connection().execute_query_dict(SHOWS_MOST, [False])
        nearby = await connection().execute_query_dict(SHOWS_MOST, [True])
        kept["member"] = (await issue_member_token(example["id"], ttl=TOKEN_TTL, is_demo=True)).secret
        store_phone = (nearby or [example])[0]["phone"]
        place.remember(tokens=kept, example_phone=example["phone"], store_phone=store_phone)
        work.say(f"a family with {example['points']} of 10 parts of a profile filled")
    return {}
