-- Sessions of the dashboard that were not begun with a token, but by a provider of OpenID Connect.
CREATE TABLE sessions_next (
    -- The SHA-256 of the cookie.
    hash       TEXT PRIMARY KEY NOT NULL,
    -- That of the token that was shown, with which the session ends; else what the provider said and what the rules gave.
    token      TEXT,
    issuer     TEXT,
    subject    TEXT,
    -- What the audit log calls him.
    name       TEXT,
    role       TEXT CHECK (role IN ('viewer', 'operator', 'admin')),
    begun_ms   BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    CHECK (token IS NOT NULL OR (issuer IS NOT NULL AND subject IS NOT NULL AND name IS NOT NULL AND role IS NOT NULL))
);

-- Those that there are last twelve hours.
INSERT INTO sessions_next (hash, token, begun_ms, expires_ms)
    SELECT hash, token, expires_ms - 43200000, expires_ms FROM sessions;
DROP TABLE sessions;
ALTER TABLE sessions_next RENAME TO sessions;

-- Log-ins by a provider that were used: each is good once.
CREATE TABLE logins (
    hash       TEXT PRIMARY KEY NOT NULL,
    expires_ms BIGINT NOT NULL
);
