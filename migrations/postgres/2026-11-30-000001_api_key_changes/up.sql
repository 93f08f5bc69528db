-- A key of the REST API is remembered for the time when the database is away: a revoked one is to be forgotten.
CREATE TRIGGER tell_change AFTER UPDATE OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
