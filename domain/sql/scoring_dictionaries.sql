-- What the scoring history is read from, as of a moment: the orders before it, and numbers for the members, categories
-- and products that they mention. Rows at or after the moment are not looked at: nothing later can renumber anything.
-- The order is by the source's own ids and by text, never by our ids: another import of the same data numbers alike.
-- Before: SET nestling.as_of = '2017-12-01 00:00+00', nestling.zone = 'UTC'. Needs a transaction; the tables go with it.

CREATE TEMP TABLE scoring_members ON COMMIT DROP AS
SELECT m.id, m.external_id, m.source,
       (row_number() OVER (ORDER BY m.source COLLATE "C", m.external_id COLLATE "C") - 1)::int AS no
FROM members m
WHERE m.status NOT IN ('ERASED', 'MERGED')
  AND EXISTS (
      SELECT FROM orders o
      WHERE o.member_id = m.id AND o.ordered_at < current_setting('nestling.as_of')::timestamptz
  );
CREATE UNIQUE INDEX ON scoring_members (id);
ANALYZE scoring_members;

CREATE TEMP TABLE scoring_orders ON COMMIT DROP AS
SELECT o.id, m.no AS member,
       floor(extract(epoch FROM o.ordered_at AT TIME ZONE current_setting('nestling.zone')))::bigint AS at_s,
       (o.total * 100)::bigint AS cents,
       coalesce(array_position(ARRAY['POS', 'MALL', 'MARKETPLACE', 'MINI_PROGRAM', 'CALL_CENTRE'], o.channel::text), 0)
           AS channel,
       coalesce(s.no, 0) AS store
FROM orders o
JOIN scoring_members m ON m.id = o.member_id
LEFT JOIN (
    SELECT id, (row_number() OVER (ORDER BY source COLLATE "C", external_id COLLATE "C"))::int AS no FROM stores
) s ON s.id = o.store_id
WHERE o.ordered_at < current_setting('nestling.as_of')::timestamptz;
CREATE UNIQUE INDEX ON scoring_orders (id);
ANALYZE scoring_orders;

CREATE TEMP TABLE scoring_products ON COMMIT DROP AS
SELECT p.id, p.category, p.department,
       (CASE p.baby_class WHEN 'FORMULA' THEN 1 WHEN 'BABY_FOOD' THEN 2 WHEN 'DIAPER' THEN 3
            WHEN 'BABY_CARE' THEN 4 ELSE 0 END)::int AS baby
FROM products p
WHERE p.is_merchandise AND p.id IN (SELECT l.product_id FROM order_lines l JOIN scoring_orders o ON o.id = l.order_id);

CREATE TEMP TABLE scoring_categories ON COMMIT DROP AS
SELECT category, (row_number() OVER (ORDER BY category COLLATE "C") - 1)::int AS no,
       mode() WITHIN GROUP (ORDER BY department COLLATE "C") AS department,
       mode() WITHIN GROUP (ORDER BY baby) AS baby
FROM scoring_products
GROUP BY category;

CREATE TEMP TABLE scoring_shelves ON COMMIT DROP AS
SELECT p.id, c.no AS category, p.baby
FROM scoring_products p
JOIN scoring_categories c ON c.category = p.category;
CREATE UNIQUE INDEX ON scoring_shelves (id);
ANALYZE scoring_shelves;
