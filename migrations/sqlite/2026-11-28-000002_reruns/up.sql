-- What came of judging a refused postback again: every time, in order. At most one of them leads to a conversion.
DROP TABLE reruns;
CREATE TABLE reruns (
    partner_id    BLOB NOT NULL,
    postback_id   BLOB NOT NULL,
    position      INTEGER NOT NULL,
    api_key_id    BLOB NOT NULL,
    code          TEXT NOT NULL,
    message       TEXT NOT NULL,
    conversion_id BLOB,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (partner_id, postback_id, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX reruns_settled ON reruns (partner_id, postback_id) WHERE conversion_id IS NOT NULL;

-- Whether a line was refused for a reason that a change of the set-up can mend. Earlier lines do not tell dry runs apart.
ALTER TABLE postbacks ADD COLUMN rerunnable INTEGER NOT NULL DEFAULT 0 CHECK (rerunnable IN (0, 1));
CREATE INDEX postbacks_rerunnable ON postbacks (partner_id, id) WHERE rerunnable;
