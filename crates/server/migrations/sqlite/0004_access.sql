-- Who may do what, and who did what.

ALTER TABLE tokens ADD COLUMN role TEXT NOT NULL DEFAULT 'admin' CHECK (role IN ('viewer', 'operator', 'admin'));
ALTER TABLE tokens ADD COLUMN expires_ms BIGINT;

CREATE UNIQUE INDEX tokens_by_hash ON tokens (hash);

-- Entries are only ever added. `hash` is that of the entry with the hash of the one before in it: to change one
-- that is past, all that follow must be changed.
CREATE TABLE audit (
    number BIGINT PRIMARY KEY NOT NULL,
    at_ms  BIGINT NOT NULL,
    -- Who: the name of a token, `machine FINGERPRINT`, or `server`.
    actor  TEXT NOT NULL,
    action TEXT NOT NULL,
    -- To what: a machine, a bundle.
    object TEXT NOT NULL,
    -- JSON.
    detail TEXT NOT NULL,
    before TEXT NOT NULL,
    hash   TEXT NOT NULL
);
