DROP TABLE reruns;
ALTER TABLE postbacks DROP COLUMN about;
