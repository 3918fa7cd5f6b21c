-- Numbers for what the scoring history speaks of, as of a moment: members, categories and products that orders before it
-- mention. Rows at or after the moment are not looked at, so that nothing that happens later can renumber anything.
-- The order is by the source's own ids and by text, never by our ids: another import of the same data numbers alike.
-- Before: SET nestling.as_of = '2017-12-01 00:00+00'. Needs a transaction; the tables go with it.

CREATE TEMP TABLE scoring_members ON COMMIT DROP AS
SELECT m.id, m.external_id, m.source,
       (row_number() OVER (ORDER BY m.source COLLATE "C", m.external_id COLLATE "C") - 1)::int AS no
FROM members m
WHERE m.status <> 'ERASED'
  AND EXISTS (
      SELECT FROM orders o
      WHERE o.member_id = m.id AND o.ordered_at < current_setting('nestling.as_of')::timestamptz
  );
CREATE UNIQUE INDEX ON scoring_members (id);
ANALYZE scoring_members;

CREATE TEMP TABLE scoring_products ON COMMIT DROP AS
SELECT p.id, p.category, p.department,
       (CASE p.baby_class WHEN 'FORMULA' THEN 1 WHEN 'BABY_FOOD' THEN 2 WHEN 'DIAPER' THEN 3
            WHEN 'BABY_CARE' THEN 4 ELSE 0 END)::int AS baby
FROM products p
WHERE p.id IN (
    SELECT l.product_id
    FROM order_lines l
    JOIN orders o ON o.id = l.order_id
    WHERE o.ordered_at < current_setting('nestling.as_of')::timestamptz AND o.member_id IS NOT NULL
);
CREATE UNIQUE INDEX ON scoring_products (id);
ANALYZE scoring_products;

CREATE TEMP TABLE scoring_categories ON COMMIT DROP AS
SELECT category, (row_number() OVER (ORDER BY category COLLATE "C") - 1)::int AS no,
       mode() WITHIN GROUP (ORDER BY department COLLATE "C") AS department,
       mode() WITHIN GROUP (ORDER BY baby) AS baby
FROM scoring_products
GROUP BY category;
CREATE UNIQUE INDEX ON scoring_categories (category);
ANALYZE scoring_categories;
