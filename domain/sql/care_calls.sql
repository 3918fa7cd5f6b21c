-- Who is worth a call today: the best call of each member, best first, no more for one owner than she can make.
-- $1 care run uuid, $2 business date, $3 business moment, $4 how many, $5 how many an owner,
-- $6 churn from this probability on, $7 worth of a unit of spend a month when she stays, $8 worth of a first return,
-- $9 worth of a timely refill, $10 not called again within (interval),
-- $11 term weeks, $12 full-term weeks, $13 corrected until (months)
WITH free AS (
    SELECT m.id, m.household_id, m.owner_id, m.store_id, m.joined_on
    FROM members m
    WHERE m.status = 'ACTIVE'
        AND EXISTS (SELECT FROM identities i WHERE i.member_id = m.id AND i.kind = 'PHONE')
        AND NOT EXISTS (SELECT FROM callback_tasks t WHERE t.member_id = m.id AND t.state IN ('OPEN', 'LEASED'))
        AND NOT EXISTS (
            SELECT FROM messages x
            WHERE x.member_id = m.id
                AND (x.care_run_id = $1 OR (x.channel = 'CALL' AND x.created_at > $3::timestamptz - $10::interval))
                -- a call that was called off before anybody rang has disturbed nobody
                AND NOT EXISTS (
                    SELECT FROM callback_tasks t
                    WHERE t.message_id = x.id AND t.state = 'CANCELLED' AND t.attempts = 0
                        AND t.release_reason = 'REASON_GONE' AND x.care_run_id IS DISTINCT FROM $1
                )
        )
),
allowed AS (
    SELECT DISTINCT member_id, purpose
    FROM consents_in_force
    WHERE channel = 'CALL' AND state = 'GRANTED'
),
-- the strictest class of anything on a shelf: what a call that names the shelf speaks of
shelves AS (
    SELECT category, (ARRAY['UNKNOWN', 'INFANT_FORMULA', 'SPECIAL_MEDICAL', 'FOLLOW_ON', 'GROWING_UP', 'BOTTLE_TEAT',
        'COMPLEMENTARY'])[min(place)] AS formula_class, bool_or(place <= 5) AS is_milk
    FROM (
        SELECT p.category, array_position(ARRAY['UNKNOWN', 'INFANT_FORMULA', 'SPECIAL_MEDICAL', 'FOLLOW_ON', 'GROWING_UP',
            'BOTTLE_TEAT', 'COMPLEMENTARY'], p.formula_class::text) AS place
        FROM products p
        WHERE p.formula_class <> 'NONE'
    ) x
    GROUP BY category
),
spent AS (
    SELECT o.member_id, sum(o.total) AS total, count(*) AS orders, max(o.ordered_at) AS last_at
    FROM orders o
    WHERE o.ordered_at >= $3::timestamptz - interval '90 days' AND o.ordered_at < $3 AND o.member_id IS NOT NULL
    GROUP BY o.member_id
),
-- what of it went for formula: nobody is worth more to us for it
spent_on_milk AS (
    SELECT o.member_id, sum(l.amount) AS total, min(array_position(
        ARRAY['UNKNOWN', 'INFANT_FORMULA', 'SPECIAL_MEDICAL', 'FOLLOW_ON', 'GROWING_UP'], s.formula_class)) AS strictness
    FROM shelves s
    JOIN products p ON p.category = s.category JOIN order_lines l ON l.product_id = p.id JOIN orders o ON o.id = l.order_id
    WHERE s.is_milk AND l.amount > 0
        AND o.ordered_at >= $3::timestamptz - interval '90 days' AND o.ordered_at < $3 AND o.member_id IS NOT NULL
    GROUP BY o.member_id
),
win_back AS (
    SELECT f.id AS member_id, NULL::uuid AS baby_id, 'WIN_BACK' AS kind, 'PROMOTION' AS purpose,
        s.probability * greatest(spent.total - coalesce(milk.total, 0), 0) / 3 * $7::float8 AS value,
        jsonb_build_object(
            'key', $2::date, 'probability', round(s.probability::numeric, 2), 'score_reasons', s.reasons,
            'scored_on', s.as_of, 'last_on', spent.last_at::date, 'orders_90_days', spent.orders,
            -- who mostly buys formula is won back for formula: the law says whether that may be
            'formula_class', CASE WHEN milk.total * 2 >= spent.total
                THEN (ARRAY['UNKNOWN', 'INFANT_FORMULA', 'SPECIAL_MEDICAL', 'FOLLOW_ON', 'GROWING_UP'])[milk.strictness]
                ELSE 'NONE' END
        ) AS facts
    FROM free f
    JOIN scores s ON s.member_id = f.id AND s.model_name = 'churn' AND s.probability >= $6
    JOIN spent ON spent.member_id = f.id
    LEFT JOIN spent_on_milk milk ON milk.member_id = f.id
),
first_return AS (
    SELECT f.id, NULL::uuid, 'NEW_CUSTOMER_RETURN', 'CARE', $8::float8,
        jsonb_build_object(
            'key', 'first', 'first_on', bought.first_at::date, 'quantity', bought.quantity,
            -- a shelf that the law knows is not named
            'category', CASE WHEN shelf.category IS NULL THEN bought.category END
        )
    FROM free f
    CROSS JOIN LATERAL (
        SELECT min(o.ordered_at) AS first_at, count(DISTINCT o.id) AS orders,
            (array_agg(p.category ORDER BY l.amount DESC, l.id))[1] AS category,
            (array_agg(l.quantity ORDER BY l.amount DESC, l.id))[1] AS quantity,
            coalesce(sum(l.amount) FILTER (WHERE milk.is_milk), 0) * 2 >= sum(l.amount) AS is_mostly_milk
        FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
        LEFT JOIN shelves milk ON milk.category = p.category AND milk.is_milk
        WHERE o.member_id = f.id AND o.ordered_at < $3
    ) bought
    LEFT JOIN shelves shelf ON shelf.category = bought.category
    -- nobody is called back who came for formula: it would be a call to buy more of it
    WHERE f.joined_on >= $2::date - 30 AND bought.orders = 1
        AND NOT bought.is_mostly_milk AND shelf.is_milk IS NOT TRUE
        AND bought.first_at::date BETWEEN $2::date - 14 AND $2::date - 5
),
refills AS (
    SELECT o.member_id, p.category, o.ordered_at::date AS day,
        min(array_position(ARRAY['FOLLOW_ON', 'GROWING_UP', 'BOTTLE_TEAT', 'COMPLEMENTARY', 'NONE'], p.formula_class::text))
            AS strictness,
        o.ordered_at::date - lag(o.ordered_at::date) OVER (PARTITION BY o.member_id, p.category ORDER BY o.ordered_at::date)
            AS gap
    FROM products p JOIN order_lines l ON l.product_id = p.id JOIN orders o ON o.id = l.order_id
    WHERE p.baby_class IN ('DIAPER', 'BABY_FOOD', 'FORMULA')
        -- a shelf with anything on it that is never promoted is never called about
        AND NOT EXISTS (
            SELECT FROM products q
            WHERE q.category = p.category AND q.formula_class IN ('INFANT_FORMULA', 'UNKNOWN', 'SPECIAL_MEDICAL')
        )
        AND o.ordered_at >= $3::timestamptz - interval '180 days' AND o.ordered_at < $3 AND o.member_id IS NOT NULL
    GROUP BY o.member_id, p.category, o.ordered_at::date
),
can_finish AS (
    SELECT DISTINCT ON (f.id) f.id, NULL::uuid, 'CAN_FINISH', 'PROMOTION', $9::float8,
        jsonb_build_object(
            'key', r.category || ':' || r.last_day, 'category', r.category, 'usual_gap', round(r.gap::numeric),
            'last_on', r.last_day,
            'formula_class', (ARRAY['FOLLOW_ON', 'GROWING_UP', 'BOTTLE_TEAT', 'COMPLEMENTARY', 'NONE'])[r.strictness]
        )
    FROM free f
    JOIN (
        SELECT member_id, category, max(day) AS last_day, min(strictness) AS strictness,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS gap
        FROM refills
        GROUP BY member_id, category
        HAVING count(*) >= 3
    ) r ON r.member_id = f.id AND r.gap BETWEEN 5 AND 60
    -- from three days before the usual day, but never while most of it must be left
    WHERE r.last_day + round(r.gap)::int BETWEEN $2::date - 3 AND $2::date + 3
        AND $2::date - r.last_day >= 0.8 * r.gap
    ORDER BY f.id, r.last_day + round(r.gap)::int, r.category
),
counted AS (
    SELECT y.*,
        CASE
            WHEN y.gestation_weeks < $11::int AND $2::date < y.born_on + make_interval(months => $13::int)
            THEN y.born_on + ($12::int - y.gestation_weeks) * 7
            ELSE y.born_on
        END AS counted_from
    FROM babies y
    WHERE y.born_on BETWEEN $2::date - 550 AND $2::date AND y.stopped_at IS NULL AND y.born_source <> 'INFERRED'
        AND y.feeding IN ('MIXED', 'FORMULA')
        -- how a child is fed is used only while a guardian allows it
        AND 'GRANTED' = (
            SELECT g.state FROM guardian_consents g WHERE g.baby_id = y.id ORDER BY g.given_at DESC, g.id DESC LIMIT 1
        )
),
-- A care talk, never a sale: it is worth nothing to us, so that it takes no other call's place.
stage_switch AS (
    SELECT DISTINCT ON (f.id) f.id, y.id, 'STAGE_SWITCH', 'CARE', 0::float8,
        jsonb_build_object(
            'key', y.id || ':' || switch.stage, 'nickname', coalesce(y.nickname, ''),
            'formula_class', switch.formula_class, 'months', switch.months, 'on', (y.counted_from + make_interval(months => switch.months))::date
        )
    FROM free f
    JOIN counted y ON y.household_id = f.household_id
    CROSS JOIN (VALUES (2, 6, 'FOLLOW_ON'), (3, 12, 'GROWING_UP')) AS switch(stage, months, formula_class)
    WHERE (y.counted_from + make_interval(months => switch.months))::date BETWEEN $2::date - 3 AND $2::date + 7
    ORDER BY f.id, y.id, switch.stage
),
calls AS (
    SELECT * FROM win_back
    UNION ALL SELECT * FROM first_return
    UNION ALL SELECT * FROM can_finish
    UNION ALL SELECT * FROM stage_switch
),
best AS (
    SELECT DISTINCT ON (c.member_id) c.*
    FROM calls c JOIN allowed a ON a.member_id = c.member_id AND a.purpose = c.purpose
    ORDER BY c.member_id, c.value DESC, c.kind
),
lists AS (
    -- what lies on each owner's list already: from this run, and from before
    SELECT coalesce(m.owner_id, m.store_id) AS keeper,
        count(*) FILTER (WHERE x.is_new) AS made, count(*) FILTER (WHERE NOT x.is_new) AS waiting
    FROM (
        SELECT member_id, true AS is_new FROM messages
        WHERE care_run_id = $1 AND channel = 'CALL' AND state <> 'SUPPRESSED'
        UNION ALL
        SELECT t.member_id, false FROM callback_tasks t LEFT JOIN messages y ON y.id = t.message_id
        WHERE t.state IN ('OPEN', 'LEASED') AND t.expires_at > $3 AND y.care_run_id IS DISTINCT FROM $1
    ) x
    JOIN members m ON m.id = x.member_id
    GROUP BY 1
),
ranked AS (
    SELECT b.*, coalesce(f.owner_id, f.store_id) AS keeper, row_number() OVER (
        PARTITION BY coalesce(f.owner_id, f.store_id) ORDER BY b.value DESC, b.member_id
    ) AS place
    FROM best b JOIN free f ON f.id = b.member_id
)
SELECT r.member_id, r.baby_id, r.kind, r.purpose, r.value, r.facts::text AS facts, m.jurisdiction, m.language,
    coalesce(s.name, '') AS store, coalesce(children.list, '[]')::text AS children
FROM ranked r
JOIN members m ON m.id = r.member_id
LEFT JOIN stores s ON s.id = m.store_id
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_array(y.id, y.born_on, y.due_on, y.gestation_weeks, y.stopped_at IS NOT NULL)) AS list
    FROM babies y WHERE y.household_id = m.household_id
) children ON true
LEFT JOIN lists ON lists.keeper IS NOT DISTINCT FROM r.keeper
WHERE r.place + coalesce(lists.made, 0) <= $5::int AND r.place + coalesce(lists.waiting, 0) <= 2 * $5::int
ORDER BY r.value DESC, r.member_id
LIMIT $4
