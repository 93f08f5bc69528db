-- Keys that expire, that are for tests, that are tokens, that work from some addresses alone.
ALTER TABLE signing_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'signature' CHECK (kind IN ('signature', 'token'));
-- SHA-256 of a token; a token has no sealed secret.
ALTER TABLE signing_keys ADD COLUMN token_hash BYTEA;
ALTER TABLE signing_keys ADD COLUMN test BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE signing_keys ADD COLUMN allowed_ips JSONB NOT NULL DEFAULT '[]';
ALTER TABLE signing_keys ADD COLUMN expires_at TIMESTAMPTZ;
ALTER TABLE signing_keys ADD COLUMN last_used_at TIMESTAMPTZ;

ALTER TABLE advertisers ADD COLUMN signing TEXT NOT NULL DEFAULT 'enforce' CHECK (signing IN ('enforce', 'observe'));
ALTER TABLE advertisers ADD COLUMN static_token TEXT NOT NULL DEFAULT 'refused' CHECK (static_token IN ('allowed', 'refused'));

ALTER TABLE postbacks ADD COLUMN batch_index INTEGER;
ALTER TABLE postbacks ADD COLUMN test BOOLEAN NOT NULL DEFAULT false;
-- What enforcing the signature would have answered.
ALTER TABLE postbacks ADD COLUMN not_enforced TEXT;

-- Append-only: who changed what about keys and about what is asked of them.
CREATE TABLE audit_events (
    partner_id UUID NOT NULL REFERENCES partners (id),
    id         UUID NOT NULL,
    actor      UUID NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    details    JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (partner_id, id)
);

-- That a key was used changes nothing that others have to know.
DROP TRIGGER tell_change ON signing_keys;
CREATE TRIGGER tell_change AFTER INSERT OR DELETE
    OR UPDATE OF name, secret_sealed, scopes, advertiser_ids, revoked_at, allowed_ips, expires_at ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
