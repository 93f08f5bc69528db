-- Tells every process which partner's set-up has changed, when the change is committed.
CREATE FUNCTION tallyback_tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tallyback_changes', COALESCE(NEW.partner_id, OLD.partner_id)::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON advertisers
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON publishers
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON campaigns
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON creatives
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON links
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON goals
    FOR EACH ROW EXECUTE FUNCTION tallyback_tell_change();
