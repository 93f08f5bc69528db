DROP FUNCTION tallyback_tell_change() CASCADE;
