-- The log of postbacks: what explains an outcome, and what is filtered by. Old lines have neither.
ALTER TABLE postbacks ADD COLUMN order_id TEXT;
ALTER TABLE postbacks ADD COLUMN trace TEXT;
CREATE INDEX postbacks_order ON postbacks (partner_id, order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX postbacks_click ON postbacks (partner_id, click_id, id) WHERE click_id IS NOT NULL;
-- Most lines are accepted, and are in neither of these: the queries repeat the conditions to the letter.
CREATE INDEX postbacks_refused ON postbacks (partner_id, id) WHERE http_status >= 300;
CREATE INDEX postbacks_code ON postbacks (partner_id, code, id)
    WHERE code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
-- Where nothing is known of a table, SQLite takes a partner's rows for few, and reads them all. These are guesses at a
-- large log, as ANALYZE would write them.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('postbacks', 'postbacks', '1000000 100000 1'),
    ('postbacks', 'postbacks_order', '1000000 100000 2 1'),
    ('postbacks', 'postbacks_click', '1000000 100000 2 1'),
    ('postbacks', 'postbacks_refused', '50000 5000 1'),
    ('postbacks', 'postbacks_code', '50000 5000 500 1');
