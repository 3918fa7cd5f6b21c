-- Households whose baskets hint at a baby and who have none on record.
-- $1: now, business clock. One basket may be a gift; each further one within 180 days makes a baby likelier.
SELECT m.household_id, count(DISTINCT o.id) AS baskets, least(0.95, 1 - power(0.6, count(DISTINCT o.id)))::float8 AS confidence
FROM order_lines l
JOIN products p ON p.id = l.product_id
JOIN orders o ON o.id = l.order_id
JOIN members m ON m.id = o.member_id
WHERE p.baby_class IN ('FORMULA', 'DIAPER', 'BABY_FOOD')
  AND o.ordered_at >= $1::timestamptz - interval '180 days'
  AND o.ordered_at < $1::timestamptz
  AND NOT EXISTS (SELECT FROM babies b WHERE b.household_id = m.household_id)
GROUP BY m.household_id
HAVING 1 - power(0.6, count(DISTINCT o.id)) >= 0.6
ORDER BY m.household_id
