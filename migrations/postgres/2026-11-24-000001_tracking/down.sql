DROP FUNCTION tallyback_tell_partner_change() CASCADE;
ALTER TABLE conversions DROP COLUMN view_through;
ALTER TABLE goals DROP COLUMN view_window_seconds;
ALTER TABLE campaigns DROP COLUMN targeting;
ALTER TABLE campaigns DROP COLUMN click_cap_total;
ALTER TABLE campaigns DROP COLUMN click_cap_daily;
ALTER TABLE links DROP COLUMN consent;
DROP TABLE click_counts;
DROP TABLE impressions;
