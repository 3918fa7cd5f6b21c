-- One row an order and category before the as-of moment, in fixed-width columns for a binary COPY.
-- Needs the tables of scoring_dictionaries.sql, nestling.as_of and nestling.zone.
SELECT m.no AS member,
       c.no AS category,
       p.baby AS baby,
       floor(extract(epoch FROM o.ordered_at AT TIME ZONE current_setting('nestling.zone')))::bigint AS at_s,
       (sum(l.amount) * 100)::bigint AS cents,
       (sum(l.discount) * 100)::bigint AS discount_cents,
       count(*)::int AS lines
FROM orders o
JOIN scoring_members m ON m.id = o.member_id
JOIN order_lines l ON l.order_id = o.id
JOIN scoring_products p ON p.id = l.product_id
JOIN scoring_categories c ON c.category = p.category
WHERE o.ordered_at < current_setting('nestling.as_of')::timestamptz
GROUP BY o.id, m.no, c.no, p.baby, o.ordered_at
