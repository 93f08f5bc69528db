DROP TRIGGER tell_change ON signing_keys;
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
DROP TABLE audit_events;
ALTER TABLE postbacks DROP COLUMN not_enforced;
ALTER TABLE postbacks DROP COLUMN test;
ALTER TABLE postbacks DROP COLUMN batch_index;
ALTER TABLE advertisers DROP COLUMN static_token;
ALTER TABLE advertisers DROP COLUMN signing;
ALTER TABLE signing_keys DROP COLUMN last_used_at;
ALTER TABLE signing_keys DROP COLUMN expires_at;
ALTER TABLE signing_keys DROP COLUMN allowed_ips;
ALTER TABLE signing_keys DROP COLUMN test;
ALTER TABLE signing_keys DROP COLUMN token_hash;
ALTER TABLE signing_keys DROP COLUMN kind;
