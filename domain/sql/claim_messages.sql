-- What claiming made of a batch of queued messages (locked by the caller): their new state, the decision behind it, an event.
-- $1 jsonb: an array of claims. A null keeps what the message had.
WITH claim AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS c(
        id uuid, state text, state_reason text, attempt int, lease_owner text, lease_seconds float8, provider text,
        address text, subject text, body text, body_html text, template_version int, language text,
        slot_window date, not_before timestamptz, wait_seconds float8,
        decision_id uuid, verdict text, reasons jsonb, next_possible_at timestamptz, snapshot jsonb, rules_version text,
        decided_at timestamptz
    )
), changed AS (
    UPDATE messages m SET
        state = c.state,
        state_reason = c.state_reason,
        state_at = clock_timestamp(),
        attempt = c.attempt,
        lease_owner = c.lease_owner,
        lease_until = clock_timestamp() + c.lease_seconds * interval '1 second',
        provider = coalesce(c.provider, m.provider),
        address = coalesce(c.address, m.address),
        subject = coalesce(c.subject, m.subject),
        body = coalesce(c.body, m.body),
        body_html = coalesce(c.body_html, m.body_html),
        template_version = coalesce(c.template_version, m.template_version),
        language = coalesce(c.language, m.language),
        slot_window = c.slot_window,
        not_before = coalesce(c.not_before, m.not_before),
        next_attempt_at = clock_timestamp() + c.wait_seconds * interval '1 second',
        decision_id = coalesce(c.decision_id, m.decision_id)
    FROM claim c
    WHERE m.id = c.id
    RETURNING m.id, m.member_id, m.intent_key, m.channel, m.purpose
), decided AS (
    INSERT INTO decisions (
        id, member_id, intent_key, channel, purpose, verdict, primary_reason, reasons, next_possible_at, snapshot,
        rules_version, decided_at
    )
    SELECT
        c.decision_id, m.member_id, m.intent_key, m.channel, m.purpose, c.verdict, c.reasons ->> 0, c.reasons,
        c.next_possible_at, c.snapshot, c.rules_version, c.decided_at
    FROM claim c JOIN changed m USING (id)
    WHERE c.decision_id IS NOT NULL
)
INSERT INTO message_events (message_id, from_state, to_state, cause, attempt)
SELECT m.id, 'QUEUED', c.state, c.state_reason, c.attempt FROM claim c JOIN changed m USING (id)
