-- A SQLite database belongs to one process, which knows what it has changed.
SELECT 1;
