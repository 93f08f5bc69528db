-- Deltas are bytes. SQLite cannot change a column, so the table is made anew; its documents are text already.
CREATE TABLE lean_deltas (
    partner_id BLOB NOT NULL,
    id         BLOB NOT NULL,
    changes    BLOB NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO lean_deltas SELECT partner_id, id, CAST(trim(changes, '"') AS BLOB) FROM total_deltas;
DROP TABLE total_deltas;
ALTER TABLE lean_deltas RENAME TO total_deltas;
