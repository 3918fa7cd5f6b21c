-- What the next members could be offered: the likeliest new shelf. One row a member, whether there is anything or not,
-- so that the last row is the cursor.
-- $1 care run uuid, $2 after this member, $3 how many members,
-- shelves: $4 categories text[], $5 their base rates float8[], $6 worth of a first purchase float8[],
-- $7 least probability, $8 least lift, $9 no promotion since (timestamptz)
WITH batch AS (
    SELECT m.id, m.language, m.store_id,
        m.status = 'ACTIVE'
        AND NOT EXISTS (SELECT FROM messages x WHERE x.care_run_id = $1 AND x.member_id = m.id) AS is_free
    FROM members m
    WHERE m.id > $2
    ORDER BY m.id
    LIMIT $3
),
shelves AS (
    SELECT * FROM unnest($4::text[], $5::float8[], $6::float8[]) AS shelf(category, base_rate, worth)
)
SELECT b.id AS member_id, b.language, coalesce(s.name, '') AS store, reach.promotion,
    offer.category, offer.probability, offer.base_rate, offer.worth
FROM batch b
LEFT JOIN stores s ON s.id = b.store_id
LEFT JOIN LATERAL (
    -- the channels on which she allows promotion and can be reached
    SELECT coalesce(array_agg(c.channel), '{}') AS promotion
    FROM (
        SELECT DISTINCT f.channel
        FROM consents_in_force f
        WHERE f.member_id = b.id AND f.purpose = 'PROMOTION' AND f.channel IN ('SMS', 'EMAIL') AND f.state = 'GRANTED'
    ) c
    WHERE EXISTS (
        SELECT FROM identities i
        WHERE i.member_id = b.id AND i.kind = CASE c.channel WHEN 'SMS' THEN 'PHONE' ELSE 'EMAIL' END
    )
) reach ON b.is_free
LEFT JOIN LATERAL (
    SELECT sc.category, sc.probability, sh.base_rate, sh.worth
    FROM scores sc JOIN shelves sh ON sh.category = sc.category
    WHERE sc.member_id = b.id AND sc.model_name = 'cross_sell'
        AND sc.probability >= $7::float8 AND sc.probability >= $8::float8 * sh.base_rate
        AND NOT EXISTS (
            SELECT FROM messages x WHERE x.member_id = b.id AND x.purpose = 'PROMOTION' AND x.created_at > $9
        )
    ORDER BY sc.probability * sh.worth DESC, sc.category
    LIMIT 1
) offer ON b.is_free
ORDER BY b.id
