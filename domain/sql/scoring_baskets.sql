-- One row a line of an order before the as-of moment, in fixed-width columns for a binary COPY; the reader sums the
-- lines of a category, which is cheaper there. Needs the tables of scoring_dictionaries.sql.
SELECT o.member, s.category, s.baby, o.at_s, (l.amount * 100)::bigint AS cents, (l.discount * 100)::bigint AS discount_cents
FROM order_lines l
JOIN scoring_orders o ON o.id = l.order_id
JOIN scoring_shelves s ON s.id = l.product_id
