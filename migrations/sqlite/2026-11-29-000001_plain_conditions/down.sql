DROP INDEX postbacks_order;
DROP INDEX postbacks_click;
DROP INDEX postbacks_code;
CREATE INDEX postbacks_order ON postbacks (partner_id, order_id, id)
    WHERE order_id IS NOT NULL AND code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
CREATE INDEX postbacks_click ON postbacks (partner_id, click_id, id)
    WHERE click_id IS NOT NULL AND code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
CREATE INDEX postbacks_code ON postbacks (partner_id, code, id)
    WHERE code NOT IN ('accepted', 'accepted_pending', 'accepted_on_hold');
