DROP INDEX conversions_click;
DROP INDEX conversions_count_key;
DROP INDEX conversions_order_key;
CREATE UNIQUE INDEX conversions_count_key ON conversions (partner_id, advertiser_id, goal_id, count_key);
CREATE UNIQUE INDEX conversions_order_key ON conversions (partner_id, advertiser_id, goal_id, order_id)
    WHERE order_id IS NOT NULL;
DELETE FROM sqlite_stat1 WHERE tbl = 'postbacks';
DROP INDEX postbacks_code;
DROP INDEX postbacks_refused;
DROP INDEX postbacks_click;
DROP INDEX postbacks_order;
ALTER TABLE postbacks DROP COLUMN trace;
ALTER TABLE postbacks DROP COLUMN order_id;
