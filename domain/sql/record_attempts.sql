-- What became of attempts, written only where the worker still holds the lease of that very attempt (the fence).
-- $1 lease owner, $2 jsonb: an array of results. Answers what was written, with the slots to give back.
WITH result AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS r(
        id uuid, attempt int, state text, cause text, provider_ref text, wait_seconds float8, is_sent bool,
        is_settled bool, gives_slot_back bool
    )
), held AS (
    SELECT m.id, m.slot_window FROM messages m JOIN result r USING (id)
    WHERE m.state = 'SENDING' AND m.lease_owner = $1 AND m.attempt = r.attempt
    ORDER BY m.id FOR UPDATE OF m
), changed AS (
    UPDATE messages m SET
        state = r.state,
        state_reason = r.cause,
        state_at = clock_timestamp(),
        lease_owner = NULL,
        lease_until = NULL,
        provider_ref = coalesce(r.provider_ref, m.provider_ref),
        sent_at = CASE WHEN r.is_sent THEN coalesce(m.sent_at, business_now()) ELSE m.sent_at END,
        next_attempt_at = clock_timestamp() + r.wait_seconds * interval '1 second',
        unknown_since = CASE
            WHEN r.is_settled THEN NULL
            WHEN r.state = 'UNKNOWN' THEN coalesce(m.unknown_since, clock_timestamp())
            ELSE m.unknown_since
        END,
        slot_window = CASE WHEN r.gives_slot_back THEN NULL ELSE m.slot_window END
    FROM result r JOIN held h USING (id)
    WHERE m.id = r.id
    RETURNING m.id, m.member_id, r.state, r.cause, r.attempt, m.provider_ref, r.gives_slot_back, h.slot_window
), told AS (
    INSERT INTO message_events (message_id, from_state, to_state, cause, attempt, provider_ref)
    SELECT id, 'SENDING', state, cause, attempt, provider_ref FROM changed
)
SELECT id, member_id, attempt, state, cause, CASE WHEN gives_slot_back THEN slot_window END AS slot_window FROM changed
