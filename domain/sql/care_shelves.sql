-- The categories that the cross-sell model speaks of: what a line of theirs costs, what law wants to know (the strictest
-- class of any product in them), and the base rate that a score is measured against. $1 business moment.
-- The base rate is that of all judged pairs of member and category; a model that was never judged has none, and then a
-- category's scores spread over all scored members stand for it.
SELECT score.category, score.base_rate, line.amount,
    coalesce(product.formula_class, 'UNKNOWN') AS formula_class, coalesce(product.is_for_babies, false) AS is_for_babies,
    coalesce(product.department, '') AS department
FROM (
    SELECT s.category, coalesce(
        max((m.metrics->>'positives')::float8 / nullif((m.metrics->>'rows')::float8, 0)),
        sum(s.probability) / (SELECT count(DISTINCT member_id) FROM scores WHERE model_name = 'cross_sell')
    ) AS base_rate
    FROM scores s JOIN scoring_models m ON m.id = s.model_id
    WHERE s.model_name = 'cross_sell'
    GROUP BY s.category
) score
LEFT JOIN LATERAL (
    SELECT (array_agg(p.formula_class ORDER BY array_position(
            ARRAY['UNKNOWN', 'INFANT_FORMULA', 'SPECIAL_MEDICAL', 'FOLLOW_ON', 'GROWING_UP', 'BOTTLE_TEAT', 'COMPLEMENTARY',
                'NONE'], p.formula_class::text)))[1] AS formula_class,
        bool_or(p.baby_class <> 'NONE') AS is_for_babies,
        mode() WITHIN GROUP (ORDER BY p.department) AS department
    FROM products p WHERE p.category = score.category
) product ON true
LEFT JOIN (
    SELECT p.category, avg(l.amount)::float8 AS amount
    FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
    WHERE o.ordered_at >= $1::timestamptz - interval '30 days' AND o.ordered_at < $1 AND l.amount > 0
    GROUP BY p.category
) line ON line.category = score.category
ORDER BY score.category
