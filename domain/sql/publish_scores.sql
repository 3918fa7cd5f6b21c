-- The staged scores become the live ones. $1 model name, $2 model, $3 as-of date, $4 categories for babies.
-- Needs staged_scores (member_id, category, probability, rank, reasons). Ranks close up over what is left out.
WITH put AS (
    INSERT INTO scores (member_id, model_name, category, probability, rank, reasons, model_id, as_of)
    SELECT s.member_id, $1::text, s.category, s.probability,
           row_number() OVER (PARTITION BY CASE WHEN s.category <> '' THEN s.member_id END ORDER BY s.rank, s.category),
           s.reasons::jsonb, $2::uuid, $3::date
    FROM staged_scores s
    JOIN members m ON m.id = s.member_id AND m.status NOT IN ('ERASED', 'MERGED')
    WHERE s.category <> ALL ($4::text[])
       OR NOT EXISTS (SELECT FROM babies b WHERE b.household_id = m.household_id AND b.stopped_at IS NOT NULL)
    RETURNING 1
)
SELECT count(*) AS written FROM put
