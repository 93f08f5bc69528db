DROP INDEX postbacks_code;
DROP INDEX postbacks_refused;
DROP INDEX postbacks_click;
DROP INDEX postbacks_order;
ALTER TABLE postbacks DROP COLUMN trace;
ALTER TABLE postbacks DROP COLUMN order_id;
