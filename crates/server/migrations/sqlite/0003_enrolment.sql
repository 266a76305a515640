-- How machines become known without an operator at the moment, and how their keys are replaced.

-- `hash` is the SHA-256 of a token that approves the machine which shows it first.
CREATE TABLE invitations (
    hash       TEXT PRIMARY KEY NOT NULL,
    name       TEXT,
    -- JSON: a list, and a map.
    groups     TEXT NOT NULL,
    labels     TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms    BIGINT,
    machine    BIGINT REFERENCES machines (id) ON DELETE SET NULL
);

-- Keys that must never be approved (again), by fingerprint.
CREATE TABLE revoked_keys (
    fingerprint TEXT PRIMARY KEY NOT NULL,
    at_ms       BIGINT NOT NULL
);

-- The key that takes the place of the machine's own when it is seen first.
ALTER TABLE machines ADD COLUMN next_fingerprint TEXT;

CREATE UNIQUE INDEX machines_by_next_fingerprint ON machines (next_fingerprint) WHERE next_fingerprint IS NOT NULL;
