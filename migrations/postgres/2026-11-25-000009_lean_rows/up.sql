-- What is written most is written as it comes: documents that no query looks into are text, and deltas are bytes.
-- Rewrites the tables of postbacks and conversions once.
ALTER TABLE postbacks ALTER COLUMN request TYPE TEXT, ALTER COLUMN answer TYPE TEXT;
ALTER TABLE conversions ALTER COLUMN parameters TYPE TEXT;
ALTER TABLE total_deltas ALTER COLUMN changes TYPE BYTEA USING convert_to(changes #>> '{}', 'UTF8');
-- They are gone within seconds: compressing them would be the larger part of the work.
ALTER TABLE total_deltas ALTER COLUMN changes SET STORAGE EXTERNAL;
-- Like clicks: the ids come from rows that were just read, and rows of advertisers and goals are never removed.
ALTER TABLE conversions DROP CONSTRAINT conversions_partner_id_advertiser_id_fkey;
ALTER TABLE conversions DROP CONSTRAINT conversions_partner_id_goal_id_fkey;
