-- Keep a provider's receipts, each event once. $1 provider, $2 jsonb: an array of receipts. Answers the new ones.
INSERT INTO receipts (id, provider, event_key, provider_ref, client_ref, kind, detail, occurred_at)
SELECT r.id, $1, r.event_key, r.provider_ref, r.client_ref, r.kind, r.detail, r.occurred_at
FROM jsonb_to_recordset($2::jsonb) AS r(
    id uuid, event_key text, provider_ref text, client_ref uuid, kind text, detail text, occurred_at timestamptz
)
ON CONFLICT (provider, event_key) DO NOTHING
RETURNING id
