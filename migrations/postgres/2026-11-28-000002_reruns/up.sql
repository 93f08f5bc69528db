-- What came of judging a refused postback again: every time, in order. At most one of them leads to a conversion.
DROP TABLE reruns;
CREATE TABLE reruns (
    partner_id    UUID NOT NULL,
    postback_id   UUID NOT NULL,
    position      BIGINT NOT NULL,
    api_key_id    UUID NOT NULL,
    code          TEXT NOT NULL,
    message       TEXT NOT NULL,
    conversion_id UUID,
    created_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, postback_id, position)
);
CREATE UNIQUE INDEX reruns_settled ON reruns (partner_id, postback_id) WHERE conversion_id IS NOT NULL;

-- Whether a line was refused for a reason that a change of the set-up can mend. Earlier lines do not tell dry runs apart.
ALTER TABLE postbacks ADD COLUMN rerunnable BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX postbacks_rerunnable ON postbacks (partner_id, id) WHERE rerunnable;
