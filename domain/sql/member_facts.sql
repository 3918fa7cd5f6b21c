-- The facts of members, made anew. $1 members (null: all), $2 purposes and $3 channels in the order of their bits,
-- $4 bits a purpose, $5 days a tin lasts. Days are local to the member. Answers how many rows were written.
-- For some members `$1::uuid[] IS NULL OR` is left out of the text before it is run.
WITH m AS MATERIALIZED (
    SELECT * FROM members WHERE ($1::uuid[] IS NULL OR id = ANY($1::uuid[])) AND status NOT IN ('ERASED', 'MERGED')
),
refunds AS (
    SELECT r.order_id, sum(r.amount) AS amount
    FROM order_returns r
    WHERE $1::uuid[] IS NULL OR r.order_id IN (SELECT o.id FROM orders o WHERE o.member_id = ANY($1::uuid[]))
    GROUP BY r.order_id
),
bought AS (
    SELECT o.member_id, (o.ordered_at AT TIME ZONE m.time_zone)::date AS day, o.id,
        ((o.total - coalesce(f.amount, 0)) * 100)::bigint AS cents
    FROM orders o JOIN m ON m.id = o.member_id LEFT JOIN refunds f ON f.order_id = o.id
    WHERE $1::uuid[] IS NULL OR o.member_id = ANY($1::uuid[])
),
running AS (
    SELECT member_id, day, id, sum(cents) OVER (PARTITION BY member_id ORDER BY day, id)::bigint AS cents FROM bought
),
orders_of AS (
    SELECT member_id, count(*)::int AS count, min(day) AS first_on, max(day) AS last_on,
        array_agg(day ORDER BY day, id) AS days, array_agg(cents ORDER BY day, id) AS sums
    FROM running GROUP BY member_id
),
tins AS (
    SELECT DISTINCT ON (b.member_id) b.member_id, b.day + greatest(1, ceil(sum(l.quantity) * $5::int))::int AS ends_on
    FROM products p JOIN order_lines l ON l.product_id = p.id JOIN bought b ON b.id = l.order_id
    WHERE p.baby_class = 'FORMULA' AND l.quantity > 0
    GROUP BY b.member_id, b.day
    ORDER BY b.member_id, b.day DESC
),
granted AS (
    SELECT latest.member_id, sum(1::bigint << (
        (array_position($2::text[], latest.purpose::text) - 1) * $4::int + array_position($3::text[], latest.channel::text) - 1
    ))::bigint AS bits
    FROM consents_in_force latest
    WHERE ($1::uuid[] IS NULL OR latest.member_id = ANY($1::uuid[]))
        AND latest.state = 'GRANTED' AND latest.baby_id IS NULL
    GROUP BY latest.member_id
),
tagged AS (
    SELECT u.member_id, array_agg(u.tag_id ORDER BY u.tag_id) AS tags, min(u.expires_at) AS next_expiry
    FROM member_tags u
    WHERE ($1::uuid[] IS NULL OR u.member_id = ANY($1::uuid[])) AND u.removed_at IS NULL
        AND (u.expires_at IS NULL OR u.expires_at > (SELECT business_now()))
    GROUP BY u.member_id
),
words AS (
    SELECT i.member_id, count(*)::int AS count, max((i.occurred_at AT TIME ZONE m.time_zone)::date) AS last_on
    FROM interactions i JOIN m ON m.id = i.member_id
    WHERE $1::uuid[] IS NULL OR i.member_id = ANY($1::uuid[])
    GROUP BY i.member_id
),
children AS (
    SELECT b.household_id, count(*)::int AS count, min(b.born_on) AS oldest, max(b.born_on) AS youngest,
        array_agg(b.born_on ORDER BY b.born_on) FILTER (WHERE b.born_on IS NOT NULL) AS born,
        array_agg(b.due_on ORDER BY b.due_on) FILTER (WHERE b.born_on IS NULL AND b.due_on IS NOT NULL) AS due
    FROM babies b
    WHERE b.stopped_at IS NULL AND ($1::uuid[] IS NULL OR b.household_id IN (SELECT m.household_id FROM m))
    GROUP BY b.household_id
),
gone AS (
    DELETE FROM member_facts f
    WHERE ($1::uuid[] IS NULL OR f.member_id = ANY($1::uuid[])) AND NOT EXISTS (SELECT FROM m WHERE m.id = f.member_id)
    RETURNING f.member_id
),
zones AS (
    INSERT INTO member_zones (time_zone) SELECT DISTINCT time_zone FROM m ON CONFLICT DO NOTHING
),
written AS (
    INSERT INTO member_facts AS f (
        member_id, order_cents, consents, order_count, interaction_count, baby_count, joined_on, last_order_on,
        first_order_on, oldest_born, youngest_born, tin_ends_on, last_interaction_on, next_expiry, household_id,
        store_id, owner_id, status, carer_role, language, jurisdiction, time_zone, joined_channel, joined_campaign, order_days, order_sums,
        baby_born, baby_due, tags
    )
    SELECT m.id, coalesce(o.sums[o.count], 0), coalesce(g.bits, 0), coalesce(o.count, 0), coalesce(w.count, 0),
        coalesce(b.count, 0), m.joined_on, o.last_on, o.first_on, b.oldest, b.youngest, t.ends_on, w.last_on,
        k.next_expiry, m.household_id, m.store_id, m.owner_id, m.status, m.carer_role, m.language, m.jurisdiction, m.time_zone, m.joined_channel,
        m.joined_campaign, coalesce(o.days, '{}'), coalesce(o.sums, '{}'), coalesce(b.born, '{}'), coalesce(b.due, '{}'),
        coalesce(k.tags, '{}')
    FROM m
    LEFT JOIN orders_of o ON o.member_id = m.id
    LEFT JOIN tins t ON t.member_id = m.id
    LEFT JOIN granted g ON g.member_id = m.id
    LEFT JOIN tagged k ON k.member_id = m.id
    LEFT JOIN words w ON w.member_id = m.id
    LEFT JOIN children b ON b.household_id = m.household_id
    ON CONFLICT (member_id) DO UPDATE SET
        order_cents = excluded.order_cents, consents = excluded.consents, order_count = excluded.order_count,
        interaction_count = excluded.interaction_count, baby_count = excluded.baby_count,
        joined_on = excluded.joined_on, last_order_on = excluded.last_order_on, first_order_on = excluded.first_order_on,
        oldest_born = excluded.oldest_born, youngest_born = excluded.youngest_born,
        tin_ends_on = excluded.tin_ends_on, last_interaction_on = excluded.last_interaction_on,
        next_expiry = excluded.next_expiry, household_id = excluded.household_id, store_id = excluded.store_id,
        owner_id = excluded.owner_id, status = excluded.status, carer_role = excluded.carer_role,
        language = excluded.language, jurisdiction = excluded.jurisdiction, time_zone = excluded.time_zone,
        joined_channel = excluded.joined_channel, joined_campaign = excluded.joined_campaign,
        order_days = excluded.order_days, order_sums = excluded.order_sums, baby_born = excluded.baby_born,
        baby_due = excluded.baby_due, tags = excluded.tags
    WHERE (f.order_cents, f.consents, f.order_count, f.interaction_count, f.baby_count, f.joined_on, f.last_order_on,
            f.first_order_on, f.oldest_born, f.youngest_born, f.tin_ends_on, f.last_interaction_on, f.next_expiry, f.household_id, f.store_id,
            f.owner_id, f.status, f.carer_role, f.language, f.jurisdiction, f.time_zone, f.joined_channel,
            f.joined_campaign, f.order_days, f.order_sums, f.baby_born, f.baby_due, f.tags)
        IS DISTINCT FROM
        (excluded.order_cents, excluded.consents, excluded.order_count, excluded.interaction_count, excluded.baby_count,
            excluded.joined_on, excluded.last_order_on, excluded.first_order_on, excluded.oldest_born,
            excluded.youngest_born, excluded.tin_ends_on,
            excluded.last_interaction_on, excluded.next_expiry, excluded.household_id, excluded.store_id,
            excluded.owner_id, excluded.status, excluded.carer_role, excluded.language, excluded.jurisdiction,
            excluded.time_zone, excluded.joined_channel, excluded.joined_campaign, excluded.order_days,
            excluded.order_sums, excluded.baby_born, excluded.baby_due, excluded.tags)
    RETURNING 1
)
SELECT (SELECT count(*) FROM written)::int + (SELECT count(*) FROM gone)::int AS written
