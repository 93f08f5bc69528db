-- Run once, by the postgres image, on a new volume.
-- The server gets a role that owns its database and nothing else; the superuser is left
-- without a password, so that it is reached from inside only.
\getenv password POSTGRES_PASSWORD
CREATE ROLE tallyback LOGIN NOSUPERUSER PASSWORD :'password';
CREATE DATABASE tallyback OWNER tallyback;
ALTER ROLE postgres PASSWORD NULL;
