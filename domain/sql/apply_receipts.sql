-- $1 jsonb: receipts applied; $2 jsonb: their messages' states; $3 jsonb: the moves, for the messages' lives.
WITH applied AS (
    UPDATE receipts r SET applied_at = clock_timestamp(), message_id = a.message_id
    FROM jsonb_to_recordset($1::jsonb) AS a(id uuid, message_id uuid)
    WHERE r.id = a.id
), changed AS (
    UPDATE messages m SET
        state = c.state,
        state_reason = CASE WHEN m.state = c.state THEN m.state_reason ELSE c.reason END,
        state_at = CASE WHEN m.state = c.state THEN m.state_at ELSE clock_timestamp() END,
        provider_ref = coalesce(m.provider_ref, c.provider_ref),
        sent_at = coalesce(m.sent_at, business_now()),
        unknown_since = NULL,
        next_attempt_at = NULL
    FROM jsonb_to_recordset($2::jsonb) AS c(id uuid, state text, reason text, provider_ref text)
    WHERE m.id = c.id
)
INSERT INTO message_events (message_id, from_state, to_state, cause, attempt, provider_ref)
SELECT v.message_id, v.from_state, v.to_state, v.cause, v.attempt, v.provider_ref
FROM jsonb_to_recordset($3::jsonb) AS v(
    message_id uuid, from_state text, to_state text, cause text, attempt int, provider_ref text
)
