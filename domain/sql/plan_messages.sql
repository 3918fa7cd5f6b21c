-- Store intents with their decisions: message, decision, first event and outbox line, each exactly once an intent key.
-- $1 jsonb: an array of wishes. Answers the messages that are new.
WITH wish AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS w(
        id uuid, decision_id uuid, member_id uuid, baby_id uuid, channel text, purpose text, intent_key text,
        provider_key uuid, care_run_id uuid, template_key text, template_version int, language text, params jsonb, value float8,
        state text, state_reason text, not_before timestamptz, expires_at timestamptz, at timestamptz,
        verdict text, reasons jsonb, next_possible_at timestamptz, snapshot jsonb, rules_version text
    )
), made AS (
    INSERT INTO messages (
        id, member_id, baby_id, channel, purpose, intent_key, provider_key, care_run_id, template_key, template_version,
        language, params, value, state, state_reason, decision_id, not_before, expires_at, created_at, state_at
    )
    SELECT
        id, member_id, baby_id, channel, purpose, intent_key, provider_key, care_run_id, template_key, template_version,
        language, params, value, state, state_reason, decision_id, not_before, expires_at, at, clock_timestamp()
    FROM wish
    ON CONFLICT (intent_key) DO NOTHING
    RETURNING id, member_id, channel, state, state_reason, decision_id
), decided AS (
    INSERT INTO decisions (
        id, member_id, intent_key, channel, purpose, verdict, primary_reason, reasons, next_possible_at, snapshot,
        rules_version, decided_at
    )
    SELECT
        w.decision_id, w.member_id, w.intent_key, w.channel, w.purpose, w.verdict, w.state_reason, w.reasons,
        w.next_possible_at, w.snapshot, w.rules_version, w.at
    FROM wish w JOIN made USING (id)
), told AS (
    INSERT INTO message_events (message_id, from_state, to_state, cause)
    SELECT id, '', state, state_reason FROM made
), boxed AS (
    INSERT INTO outbox (kind, ref_id) SELECT 'deliver', id FROM made WHERE state = 'PLANNED'
)
SELECT id, member_id, channel, state, state_reason FROM made
