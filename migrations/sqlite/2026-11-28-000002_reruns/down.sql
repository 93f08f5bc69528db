DROP INDEX postbacks_rerunnable;
ALTER TABLE postbacks DROP COLUMN rerunnable;
DROP TABLE reruns;
CREATE TABLE reruns (
    partner_id  BLOB NOT NULL,
    postback_id BLOB NOT NULL,
    rerun_id    BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (partner_id, postback_id),
    UNIQUE (partner_id, rerun_id)
) STRICT, WITHOUT ROWID;
