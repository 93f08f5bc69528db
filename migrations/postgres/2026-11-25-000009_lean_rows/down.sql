ALTER TABLE total_deltas ALTER COLUMN changes TYPE JSONB USING to_jsonb(convert_from(changes, 'UTF8'));
ALTER TABLE conversions ALTER COLUMN parameters TYPE JSONB USING parameters::jsonb;
ALTER TABLE postbacks ALTER COLUMN request TYPE JSONB USING request::jsonb, ALTER COLUMN answer TYPE JSONB USING answer::jsonb;
ALTER TABLE conversions ADD FOREIGN KEY (partner_id, advertiser_id) REFERENCES advertisers (partner_id, id);
ALTER TABLE conversions ADD FOREIGN KEY (partner_id, goal_id) REFERENCES goals (partner_id, id);
