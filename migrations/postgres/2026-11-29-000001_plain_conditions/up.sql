-- The conditions of the indexes for what is out of the common, without lists: SQLite builds a table of its own for each
-- list, for each row that is inserted.
DROP INDEX postbacks_order;
DROP INDEX postbacks_click;
DROP INDEX postbacks_code;
CREATE INDEX postbacks_order ON postbacks (partner_id, order_id, id)
    WHERE order_id IS NOT NULL AND code <> 'accepted' AND code <> 'accepted_pending' AND code <> 'accepted_on_hold';
CREATE INDEX postbacks_click ON postbacks (partner_id, click_id, id)
    WHERE click_id IS NOT NULL AND code <> 'accepted' AND code <> 'accepted_pending' AND code <> 'accepted_on_hold';
CREATE INDEX postbacks_code ON postbacks (partner_id, code, id)
    WHERE code <> 'accepted' AND code <> 'accepted_pending' AND code <> 'accepted_on_hold';
