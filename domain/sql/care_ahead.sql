-- The next babies whom somebody should look at, with their families: $2 of them in the order of their days.
-- $1 the last day of today anywhere on earth, $2 how many, $3, $4 after this day and this baby,
-- $5 care run uuid, $6 who got something of a care run since (timestamptz) has had hers
WITH due AS (
    SELECT a.baby_id, a.look_on, a.turn, a.told
    FROM care_ahead a
    WHERE a.look_on <= $1 AND (a.look_on, a.baby_id) > ($3::date, $4::uuid)
    ORDER BY a.look_on, a.baby_id
    LIMIT $2
)
SELECT d.baby_id, d.look_on, d.turn, y.born_on, y.due_on, y.gestation_weeks, coalesce(y.nickname, '') AS nickname,
    -- what baskets hint at is not written about
    y.stopped_at IS NULL AND coalesce(y.born_source, y.due_source, 'INFERRED') <> 'INFERRED' AS is_told,
    home.jurisdiction, home.time_zone, carer.id AS member_id, carer.language, reach.channels,
    -- one look-up in the index a carer: EXISTS would let the planner read all messages there ever were
    (
        SELECT x.id FROM messages x
        WHERE x.member_id = carer.id AND (x.care_run_id = $5 OR (x.care_run_id IS NOT NULL AND x.created_at > $6))
        LIMIT 1
    ) IS NOT NULL AS is_taken,
    -- what she had, as this row remembers it and as the messages about her say, those of a row merged into hers too
    d.told,
    ARRAY(
        SELECT x.intent_key FROM messages x WHERE x.baby_id = d.baby_id AND x.intent_key ~ '^(care|stage):'
    ) AS wished
FROM due d
JOIN babies y ON y.id = d.baby_id
LEFT JOIN LATERAL (
    -- where the family lives: the carer who joined the household's rows first, as GraphQL reads the calendar
    SELECT m.jurisdiction, m.time_zone FROM members m WHERE m.household_id = y.household_id ORDER BY m.id LIMIT 1
) home ON true
LEFT JOIN LATERAL (
    -- one carer hears of it: one who allows care, the mother first
    SELECT c.id, c.language
    FROM members c
    WHERE c.household_id = y.household_id AND c.status = 'ACTIVE'
    ORDER BY EXISTS (
        SELECT FROM consents_in_force k
        WHERE k.member_id = c.id AND k.purpose = 'CARE' AND k.state = 'GRANTED'
            AND (k.baby_id IS NULL OR k.baby_id = y.id)
    ) DESC, c.carer_role = 'MOTHER' DESC, c.id
    LIMIT 1
) carer ON true
LEFT JOIN LATERAL (
    -- the channels on which she allows care and can be reached; whether for this baby contactability asks again
    SELECT coalesce(array_agg(DISTINCT f.channel), '{}') AS channels
    FROM consents_in_force f
    WHERE f.member_id = carer.id AND f.purpose = 'CARE' AND f.channel IN ('SMS', 'EMAIL') AND f.state = 'GRANTED'
        AND EXISTS (
            SELECT FROM identities i
            WHERE i.member_id = carer.id AND i.kind = CASE f.channel WHEN 'SMS' THEN 'PHONE' ELSE 'EMAIL' END
        )
) reach ON true
ORDER BY d.look_on, d.baby_id
