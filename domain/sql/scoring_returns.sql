-- One row a return made before the as-of moment of an order before it, in fixed-width columns for a binary COPY.
-- Needs the tables of scoring_dictionaries.sql, nestling.as_of and nestling.zone.
SELECT o.member,
       floor(extract(epoch FROM r.returned_at AT TIME ZONE current_setting('nestling.zone')))::bigint AS at_s,
       (r.amount * 100)::bigint AS cents
FROM order_returns r
JOIN scoring_orders o ON o.id = r.order_id
WHERE r.returned_at < current_setting('nestling.as_of')::timestamptz
