-- One profile as bench/documents/profile_parts.graphql asks for it, written by hand: what a careful developer would put
-- behind one endpoint. $1 member (or {from} names many), $2 orders, $3 words.
json_build_object(
  '__typename', 'Member',
  'id', 'Member:' || m.id,
  'status', m.status,
  'carerRole', m.carer_role,
  'name', m.full_name,
  'phone', (SELECT '***' || right(i.value, 4) FROM identities i WHERE i.member_id = m.id AND i.kind = 'PHONE'
            ORDER BY i.is_primary DESC, i.last_seen_at DESC LIMIT 1),
  'email', (SELECT left(i.value, 1) || '***' || substr(i.value, strpos(i.value, '@')) FROM identities i
            WHERE i.member_id = m.id AND i.kind = 'EMAIL' ORDER BY i.is_primary DESC, i.last_seen_at DESC LIMIT 1),
  'language', m.language,
  'joinedOn', m.joined_on,
  'joinedChannel', m.joined_channel,
  'version', m.version,
  'home', CASE WHEN s.id IS NOT NULL THEN
    json_build_object('__typename', 'Store', 'id', 'Store:' || s.id, 'name', s.name) END,
  'servedBy', CASE WHEN w.id IS NOT NULL THEN
    json_build_object('__typename', 'Staff', 'id', 'Staff:' || w.id, 'name', w.name) END,
  'family', json_build_object('__typename', 'Household', 'id', 'Household:' || h.id, 'externalId', h.external_id),
  'children', coalesce((
    SELECT json_agg(json_build_object(
      '__typename', 'Baby', 'id', 'Baby:' || b.id, 'nickname', b.nickname, 'sex', b.sex, 'dueOn', b.due_on,
      'bornOn', b.born_on, 'feeding', b.feeding, 'said', b.presence_source, 'sure', b.presence_confidence,
      'version', b.version))
    FROM (SELECT * FROM babies WHERE household_id = m.household_id ORDER BY created_at, id LIMIT 4) b), '[]'),
  'labels', coalesce((
    SELECT json_agg(json_build_object(
      '__typename', 'Tag', 'key', t.key, 'family', t.family, 'labelEn', t.label_en, 'labelZh', t.label_zh,
      'source', t.source, 'setAt', t.set_at))
    FROM (SELECT tag.key, tag.family, tag.label_en, tag.label_zh, u.source, u.set_at
          FROM member_tags u JOIN tags tag ON tag.id = u.tag_id
          WHERE u.member_id = m.id AND u.removed_at IS NULL
            AND (u.expires_at IS NULL OR u.expires_at > (SELECT business_now()))
          ORDER BY u.set_at DESC, u.id LIMIT 8) t), '[]'),
  'allowed', coalesce((
    SELECT json_agg(json_build_object(
      '__typename', 'Consent', 'purpose', c.purpose, 'channel', c.channel, 'state', c.state, 'givenAt', c.given_at)
      ORDER BY c.purpose, c.channel)
    FROM (SELECT purpose, channel, state, given_at FROM consents_in_force
          WHERE member_id = m.id ORDER BY purpose, channel, baby_id NULLS FIRST LIMIT 8) c), '[]'),
  'contacts', coalesce((
    SELECT json_agg(json_build_object(
      '__typename', 'Identity', 'kind', i.kind,
      'value', CASE i.kind
        WHEN 'EMAIL' THEN left(i.value, 1) || '***' || substr(i.value, strpos(i.value, '@'))
        ELSE '***' || right(i.value, 4) END,
      'isPrimary', i.is_primary, 'isSynthetic', i.is_synthetic, 'lastSeenAt', i.last_seen_at))
    FROM (SELECT * FROM identities WHERE member_id = m.id ORDER BY is_primary DESC, kind, id LIMIT 4) i), '[]'),
  'purchases', coalesce((
    SELECT json_agg(json_build_object(
      '__typename', 'Order', 'id', 'Order:' || o.id, 'channel', o.channel, 'orderedAt', o.ordered_at,
      'currency', o.currency, 'total', o.total::text,
      'at', CASE WHEN os.id IS NOT NULL THEN
        json_build_object('__typename', 'Store', 'id', 'Store:' || os.id, 'name', os.name) END,
      'lines', (
        SELECT json_agg(json_build_object(
          '__typename', 'OrderLine', 'lineNo', l.line_no, 'quantity', l.quantity::text, 'amount', l.amount::text,
          'product', json_build_object(
            '__typename', 'Product', 'id', 'Product:' || p.id, 'name', p.name, 'category', p.category,
            'babyClass', p.baby_class)) ORDER BY l.line_no)
        FROM (SELECT * FROM order_lines WHERE order_id = o.id ORDER BY line_no LIMIT 5) l
        JOIN products p ON p.id = l.product_id))
      ORDER BY o.ordered_at DESC, o.id DESC)
    FROM (SELECT * FROM orders WHERE member_id = m.id ORDER BY ordered_at DESC, id DESC LIMIT $2) o
    LEFT JOIN stores os ON os.id = o.store_id), '[]'),
  'talk', (
    SELECT json_build_object(
      '__typename', 'TimelineEntryConnection',
      'edges', coalesce(json_agg(json_build_object(
        '__typename', 'TimelineEntryEdge',
        'node', json_build_object(
          '__typename', 'Interaction', 'id', 'Interaction:' || i.id, 'kind', i.kind, 'channel', i.channel,
          'direction', i.direction, 'occurredAt', i.occurred_at, 'topic', i.topic,
          'with', CASE WHEN iw.id IS NOT NULL THEN
            json_build_object('__typename', 'Staff', 'id', 'Staff:' || iw.id, 'name', iw.name) END))
        ORDER BY i.occurred_at DESC, i.id DESC) FILTER (WHERE i.place <= $3), '[]'),
      'pageInfo', json_build_object('__typename', 'PageInfo', 'hasNextPage', count(*) > $3))
    FROM (SELECT *, row_number() OVER (ORDER BY occurred_at DESC, id DESC) AS place FROM interactions
          WHERE member_id = m.id ORDER BY occurred_at DESC, id DESC LIMIT $3 + 1) i
    LEFT JOIN staff iw ON iw.id = i.staff_id),
  'likely', coalesce((
    SELECT json_agg(json_build_object(
      '__typename', 'Score', 'model', c.model_name, 'category', c.category, 'probability', c.probability, 'rank', c.rank, 'asOf', c.as_of))
    FROM (SELECT * FROM scores WHERE member_id = m.id ORDER BY model_name, rank, id LIMIT 4) c), '[]')
)
