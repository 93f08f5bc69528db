-- The log of postbacks: what explains an outcome, and what is filtered by. Old lines have neither.
ALTER TABLE postbacks ADD COLUMN order_id TEXT;
ALTER TABLE postbacks ADD COLUMN trace TEXT;
-- Most lines are accepted, and are in none of these: the queries repeat the conditions to the letter. The line that a
-- conversion was counted by is found through the conversion.
CREATE INDEX postbacks_order ON postbacks (partner_id, order_id, id)
    WHERE order_id IS NOT NULL AND code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
CREATE INDEX postbacks_click ON postbacks (partner_id, click_id, id)
    WHERE click_id IS NOT NULL AND code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
CREATE INDEX postbacks_refused ON postbacks (partner_id, id) WHERE http_status >= 300;
CREATE INDEX postbacks_code ON postbacks (partner_id, code, id)
    WHERE code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
-- Conversions by order and by click. The key of one that is counted by its order says nothing that the order does not.
DROP INDEX conversions_order_key;
DROP INDEX conversions_count_key;
CREATE UNIQUE INDEX conversions_order_key ON conversions (partner_id, order_id, advertiser_id, goal_id)
    WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX conversions_count_key ON conversions (partner_id, advertiser_id, goal_id, count_key)
    WHERE substr(count_key, 1, 6) <> 'order:';
CREATE INDEX conversions_click ON conversions (partner_id, click_id) WHERE click_id IS NOT NULL;
-- Where nothing is known of a table, SQLite takes a partner's rows for few, and reads them all. These are guesses at a
-- large log, as ANALYZE would write them.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('postbacks', 'sqlite_autoindex_postbacks_1', '1000000 100000 1'),
    ('postbacks', 'postbacks_order', '50000 5000 2 1'),
    ('postbacks', 'postbacks_click', '50000 5000 2 1'),
    ('postbacks', 'postbacks_refused', '50000 5000 1'),
    ('postbacks', 'postbacks_code', '50000 5000 500 1');
