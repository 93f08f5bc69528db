DROP TRIGGER tell_change ON api_keys;
