-- As in `migrations/sqlite`: sessions by a provider of OpenID Connect.
ALTER TABLE sessions
    ALTER COLUMN token DROP NOT NULL,
    ADD COLUMN issuer   TEXT COLLATE "C",
    ADD COLUMN subject  TEXT COLLATE "C",
    ADD COLUMN name     TEXT COLLATE "C",
    ADD COLUMN role     TEXT COLLATE "C" CHECK (role IN ('viewer', 'operator', 'admin')),
    ADD COLUMN begun_ms BIGINT,
    ADD CHECK (token IS NOT NULL OR (issuer IS NOT NULL AND subject IS NOT NULL AND name IS NOT NULL AND role IS NOT NULL));
UPDATE sessions SET begun_ms = expires_ms - 43200000;
ALTER TABLE sessions ALTER COLUMN begun_ms SET NOT NULL;

CREATE TABLE logins (
    hash       TEXT COLLATE "C" PRIMARY KEY,
    expires_ms BIGINT NOT NULL
);
