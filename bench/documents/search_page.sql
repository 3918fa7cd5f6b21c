-- A page of hits as bench/documents/search_page.graphql asks for it, written by hand: $1 how many, and
-- the condition put in says which members.
SELECT convert_to(json_build_object('data', json_build_object('members', json_build_object(
  '__typename', 'MemberConnection',
  'edges', coalesce(json_agg(json_build_object(
    '__typename', 'MemberEdge',
    'cursor', m.cursor,
    'node', json_build_object(
      '__typename', 'Member',
      'id', 'Member:' || m.id,
      'name', m.full_name,
      'phone', (SELECT '***' || right(i.value, 4) FROM identities i WHERE i.member_id = m.id AND i.kind = 'PHONE'
                ORDER BY i.is_primary DESC, i.last_seen_at DESC LIMIT 1),
      'store', CASE WHEN s.id IS NOT NULL THEN json_build_object('__typename', 'Store', 'name', s.name) END,
      'babies', coalesce((
        SELECT json_agg(json_build_object('__typename', 'Baby', 'nickname', b.nickname, 'bornOn', b.born_on))
        FROM (SELECT nickname, born_on FROM babies WHERE household_id = m.household_id
              ORDER BY created_at, id LIMIT 3) b), '[]'),
      'tags', coalesce((
        SELECT json_agg(json_build_object('__typename', 'Tag', 'key', t.key, 'labelEn', t.label_en))
        FROM (SELECT tag.key, tag.label_en FROM member_tags u JOIN tags tag ON tag.id = u.tag_id
              WHERE u.member_id = m.id AND u.removed_at IS NULL
                AND (u.expires_at IS NULL OR u.expires_at > (SELECT business_now()))
              ORDER BY u.set_at DESC, u.id LIMIT 3) t), '[]'))) ORDER BY m.id) FILTER (WHERE m.place <= $1), '[]'),
  'pageInfo', json_build_object(
    '__typename', 'PageInfo',
    'hasNextPage', count(*) > $1,
    'endCursor', (array_agg(m.cursor ORDER BY m.id DESC) FILTER (WHERE m.place <= $1))[1]))))::text, 'UTF8')
FROM (
  SELECT id, full_name, household_id, store_id, row_number() OVER (ORDER BY id) AS place,
    translate(encode(convert_to('["id+", "' || id || '"]', 'UTF8'), 'base64'), E'+/=\n', '-_') AS cursor
  FROM members WHERE {hits} ORDER BY id LIMIT $1 + 1) m
LEFT JOIN stores s ON s.id = m.store_id
