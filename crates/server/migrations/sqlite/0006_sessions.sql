-- Who has logged in to the dashboard. `hash` is the SHA-256 of the cookie, `token` that of the token that was shown:
-- a session ends with its token.
CREATE TABLE sessions (
    hash       TEXT PRIMARY KEY NOT NULL,
    token      TEXT NOT NULL,
    expires_ms BIGINT NOT NULL
);
