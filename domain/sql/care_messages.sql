-- What the next members could be written about: their newest stage not yet written about, and the likeliest new shelf.
-- One row a member, whether there is anything or not, so that the last row is the cursor.
-- $1 care run uuid, $2 business date, $3 after this member, $4 how many members,
-- care items: $5 stages text[], $6 by birth date bool[], $7 by corrected age bool[], $8 from date[], $9 to date[]
-- $10 term weeks, $11 full-term weeks, $12 corrected until (months),
-- shelves: $13 categories text[], $14 their base rates float8[], $15 worth of a first purchase float8[],
-- $16 least probability, $17 least lift, $18 no promotion since (timestamptz)
WITH batch AS (
    SELECT m.id, m.household_id, m.language, m.store_id,
        m.status = 'ACTIVE'
        AND NOT EXISTS (SELECT FROM messages x WHERE x.care_run_id = $1 AND x.member_id = m.id) AS is_free
    FROM members m
    WHERE m.id > $3
    ORDER BY m.id
    LIMIT $4
),
items AS (
    SELECT * FROM unnest($5::text[], $6::bool[], $7::bool[], $8::date[], $9::date[])
        WITH ORDINALITY AS item(stage, is_born, is_corrected, day_from, day_to, place)
),
shelves AS (
    SELECT * FROM unnest($13::text[], $14::float8[], $15::float8[]) AS shelf(category, base_rate, worth)
)
SELECT b.id AS member_id, b.language, coalesce(s.name, '') AS store, reach.care, reach.promotion,
    stage.baby_id, stage.stage, stage.nickname, offer.category, offer.probability, offer.base_rate, offer.worth
FROM batch b
LEFT JOIN stores s ON s.id = b.store_id
LEFT JOIN LATERAL (
    -- the channels on which she allows each purpose and can be reached
    SELECT coalesce(array_agg(c.channel) FILTER (WHERE c.purpose = 'CARE'), '{}') AS care,
        coalesce(array_agg(c.channel) FILTER (WHERE c.purpose = 'PROMOTION'), '{}') AS promotion
    FROM (
        -- in general or for one baby: which baby it is contactability asks again
        SELECT DISTINCT f.purpose, f.channel
        FROM consents_in_force f
        WHERE f.member_id = b.id AND f.purpose IN ('CARE', 'PROMOTION') AND f.channel IN ('SMS', 'EMAIL')
            AND f.state = 'GRANTED'
    ) c
    WHERE EXISTS (
        SELECT FROM identities i
        WHERE i.member_id = b.id AND i.kind = CASE c.channel WHEN 'SMS' THEN 'PHONE' ELSE 'EMAIL' END
    )
) reach ON b.is_free
LEFT JOIN LATERAL (
    SELECT y.id AS baby_id, i.stage, coalesce(y.nickname, '') AS nickname
    FROM babies y
    JOIN items i ON CASE
        WHEN NOT i.is_born THEN y.born_on IS NULL AND y.due_on BETWEEN i.day_from AND i.day_to
        WHEN i.is_corrected AND y.gestation_weeks < $10::int
            AND $2::date < y.born_on + make_interval(months => $12::int)
        THEN y.born_on + ($11::int - y.gestation_weeks) * 7 BETWEEN i.day_from AND i.day_to
        ELSE y.born_on BETWEEN i.day_from AND i.day_to
    END
    WHERE y.household_id = b.household_id AND y.stopped_at IS NULL
        AND CASE WHEN i.is_born THEN y.born_source ELSE y.due_source END <> 'INFERRED'
        AND NOT EXISTS (SELECT FROM messages x WHERE x.intent_key = 'stage:' || y.id || ':' || i.stage)
        -- one carer hears of it: one who allows care, the mother first
        AND b.id = (
            SELECT c.id
            FROM members c
            WHERE c.household_id = b.household_id AND c.status = 'ACTIVE'
            ORDER BY EXISTS (
                SELECT FROM consents_in_force k
                WHERE k.member_id = c.id AND k.purpose = 'CARE' AND k.state = 'GRANTED'
                    AND (k.baby_id IS NULL OR k.baby_id = y.id)
            ) DESC, c.carer_role = 'MOTHER' DESC, c.id
            LIMIT 1
        )
    ORDER BY coalesce(y.born_on, y.due_on) DESC, y.id, i.place  -- the earlier stage's time runs out first
    LIMIT 1
) stage ON b.is_free
LEFT JOIN LATERAL (
    SELECT sc.category, sc.probability, sh.base_rate, sh.worth
    FROM scores sc JOIN shelves sh ON sh.category = sc.category
    WHERE sc.member_id = b.id AND sc.model_name = 'cross_sell'
        AND sc.probability >= $16::float8 AND sc.probability >= $17::float8 * sh.base_rate
        AND NOT EXISTS (
            SELECT FROM messages x WHERE x.member_id = b.id AND x.purpose = 'PROMOTION' AND x.created_at > $18
        )
    ORDER BY sc.probability * sh.worth DESC, sc.category
    LIMIT 1
) offer ON b.is_free
ORDER BY b.id
