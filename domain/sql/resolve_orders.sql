-- What the database knows of orders that come in: the same receipt, its buyer and its store. One row an order, by n.
-- $1..$7: source, external id, buyer's kind, buyer's value, buyer's id here, store's code, store's id here; arrays of one
-- length, those of ids as text. An identity that several members hold without one primary holder means nobody.
-- arrived_as: the buyer under the name that the receipt gives, who may have been merged away since; member_id: who she is.
SELECT g.n::int - 1 AS n, o.id AS order_id, o.payload_hash,
       buyer.id AS arrived_as, coalesce(buyer.merged_into_id, buyer.id) AS member_id, coalesce(s.id, by_code.id) AS store_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text::uuid[], $6::text[], $7::text::uuid[])
     WITH ORDINALITY AS g (source, external_id, kind, value, member_id, store, store_id, n)
LEFT JOIN orders o ON o.source = g.source AND o.external_id = g.external_id
LEFT JOIN members known ON known.id = g.member_id AND known.status <> 'ERASED'
LEFT JOIN members by_source
    ON g.kind = 'EXTERNAL_ID' AND by_source.source = g.source AND by_source.external_id = g.value
    AND by_source.status <> 'ERASED'
LEFT JOIN LATERAL (
    SELECT (array_agg(coalesce(i.home_id, i.member_id)))[1] AS member_id
    FROM identities i JOIN members m ON m.id = i.member_id AND m.status <> 'ERASED'
    WHERE i.value = g.value AND i.kind = g.kind AND g.kind <> 'EXTERNAL_ID' AND i.is_primary
    HAVING count(DISTINCT i.member_id) = 1
) by_identity ON true
LEFT JOIN members buyer ON buyer.id = coalesce(known.id, by_source.id, by_identity.member_id)
LEFT JOIN stores s ON s.id = g.store_id
LEFT JOIN stores by_code ON by_code.source = g.source AND by_code.external_id = g.store
ORDER BY g.n
