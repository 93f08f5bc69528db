DROP INDEX postbacks_rerunnable;
ALTER TABLE postbacks DROP COLUMN rerunnable;
DROP TABLE reruns;
CREATE TABLE reruns (
    partner_id  UUID NOT NULL,
    postback_id UUID NOT NULL,
    rerun_id    UUID NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, postback_id),
    UNIQUE (partner_id, rerun_id)
);
