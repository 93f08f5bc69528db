CREATE TABLE text_deltas (
    partner_id BLOB NOT NULL,
    id         BLOB NOT NULL,
    changes    TEXT NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO text_deltas SELECT partner_id, id, '"' || CAST(changes AS TEXT) || '"' FROM total_deltas;
DROP TABLE total_deltas;
ALTER TABLE text_deltas RENAME TO total_deltas;
