-- Keys that expire, that are for tests, that are tokens, that work from some addresses alone.
ALTER TABLE signing_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'signature' CHECK (kind IN ('signature', 'token'));
-- SHA-256 of a token; a token has no sealed secret.
ALTER TABLE signing_keys ADD COLUMN token_hash BLOB;
ALTER TABLE signing_keys ADD COLUMN test INTEGER NOT NULL DEFAULT 0 CHECK (test IN (0, 1));
ALTER TABLE signing_keys ADD COLUMN allowed_ips TEXT NOT NULL DEFAULT '[]';
ALTER TABLE signing_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE signing_keys ADD COLUMN last_used_at INTEGER;

ALTER TABLE advertisers ADD COLUMN signing TEXT NOT NULL DEFAULT 'enforce' CHECK (signing IN ('enforce', 'observe'));
ALTER TABLE advertisers ADD COLUMN static_token TEXT NOT NULL DEFAULT 'refused' CHECK (static_token IN ('allowed', 'refused'));

ALTER TABLE postbacks ADD COLUMN batch_index INTEGER;
ALTER TABLE postbacks ADD COLUMN test INTEGER NOT NULL DEFAULT 0 CHECK (test IN (0, 1));
-- What enforcing the signature would have answered.
ALTER TABLE postbacks ADD COLUMN not_enforced TEXT;

-- Append-only: who changed what about keys and about what is asked of them.
CREATE TABLE audit_events (
    partner_id BLOB NOT NULL REFERENCES partners (id),
    id         BLOB NOT NULL,
    actor      BLOB NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    details    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (partner_id, id)
) STRICT, WITHOUT ROWID;
