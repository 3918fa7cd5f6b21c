-- One row an order before the as-of moment, in fixed-width columns for a binary COPY.
-- Needs the tables of scoring_dictionaries.sql, nestling.as_of and nestling.zone.
SELECT m.no AS member,
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
WHERE o.ordered_at < current_setting('nestling.as_of')::timestamptz
