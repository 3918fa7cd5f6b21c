-- What contactability wants to know of each wish, in the order of the wishes.
-- $1 members uuid[], $2 channels text[], $3 purposes text[], $4 template keys text[], $5 babies text[] (ids or null); all
-- of one length.
SELECT
    m.id AS member_id, m.status, m.language, m.jurisdiction, m.time_zone, s.time_zone AS store_zone,
    address.value AS address, address.is_synthetic, consent.state AS consent, children.list AS children,
    wording.version, wording.language AS template_language, wording.purpose AS template_purpose,
    wording.formula_class AS template_formula_class, wording.has_reward AS template_has_reward
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS wish(member_id, channel, purpose, template_key, baby_id, position)
JOIN members m ON m.id = wish.member_id
LEFT JOIN stores s ON s.id = m.store_id
LEFT JOIN LATERAL (
    -- her own address before one that she shares, the one seen last before older ones
    SELECT i.value, i.is_synthetic
    FROM identities i
    WHERE i.member_id = m.id
        AND i.kind = CASE wish.channel WHEN 'SMS' THEN 'PHONE' WHEN 'CALL' THEN 'PHONE' WHEN 'EMAIL' THEN 'EMAIL' END
    ORDER BY i.is_primary DESC, i.last_seen_at DESC, i.id
    LIMIT 1
) address ON true
LEFT JOIN LATERAL (
    -- as domain.people.consents.in_force has it: one look-up in the index of what is in force
    SELECT f.state
    FROM consents_in_force f
    WHERE f.member_id = m.id AND f.purpose = wish.purpose AND f.channel = wish.channel
        AND (f.baby_id IS NULL OR f.baby_id = wish.baby_id::uuid)
    ORDER BY (f.baby_id IS NOT NULL AND f.state = 'WITHDRAWN') DESC, f.given_at DESC, f.consent_id DESC
    LIMIT 1
) consent ON true
LEFT JOIN LATERAL (
    -- every child of the household, lost ones too: the law counts the youngest
    SELECT coalesce(
        json_agg(json_build_array(b.id, b.born_on, b.due_on, b.gestation_weeks, b.stopped_at IS NOT NULL) ORDER BY b.id),
        '[]'
    ) AS list
    FROM babies b
    WHERE b.household_id = m.household_id
) children ON true
LEFT JOIN LATERAL (
    -- the latest version in her language, else in English
    SELECT t.version, t.language, t.purpose, t.formula_class, t.has_reward
    FROM templates t,
        (SELECT CASE WHEN lower(m.language) LIKE 'zh%' THEN 'zh-Hans' ELSE lower(split_part(m.language, '-', 1)) END) l(own)
    WHERE t.key = wish.template_key AND t.channel = wish.channel AND t.is_active AND t.language IN (l.own, 'en')
    ORDER BY (t.language = l.own) DESC, t.version DESC
    LIMIT 1
) wording ON true
ORDER BY wish.position
