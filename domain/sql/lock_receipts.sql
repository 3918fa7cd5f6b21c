-- Receipts not yet applied, each with its message, which is locked. $1 receipt ids.
-- A message is found by our key, else by the provider's reference, and only if it went through that provider.
SELECT r.id, r.kind, r.detail, r.provider_ref, m.id AS message_id, m.member_id, m.state, m.attempt, m.channel, m.address
FROM receipts r
JOIN LATERAL (
    SELECT by_key.id FROM messages by_key WHERE by_key.provider_key = r.client_ref AND by_key.provider = r.provider
    UNION ALL
    SELECT by_ref.id FROM messages by_ref
    WHERE r.client_ref IS NULL AND by_ref.provider = r.provider AND by_ref.provider_ref = r.provider_ref
    LIMIT 1
) found ON true
JOIN messages m ON m.id = found.id
WHERE r.id = ANY($1) AND r.applied_at IS NULL
ORDER BY m.id, r.occurred_at, r.id
FOR UPDATE OF m
