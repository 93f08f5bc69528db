-- The log of postbacks: what explains an outcome, and what is filtered by. Old lines have neither.
ALTER TABLE postbacks ADD COLUMN order_id TEXT;
ALTER TABLE postbacks ADD COLUMN trace TEXT;
CREATE INDEX postbacks_order ON postbacks (partner_id, order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX postbacks_click ON postbacks (partner_id, click_id, id) WHERE click_id IS NOT NULL;
-- Most lines are accepted, and are in neither of these: the queries repeat the conditions to the letter.
CREATE INDEX postbacks_refused ON postbacks (partner_id, id) WHERE http_status >= 300;
CREATE INDEX postbacks_code ON postbacks (partner_id, code, id)
    WHERE code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
