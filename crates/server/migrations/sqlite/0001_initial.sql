-- Identifiers (keys, digests, boot and run ids) are lower-case hexadecimal text, so that a prefix finds them.
-- Times ending in _ms are milliseconds since 1970, by the server's clock; at_ms is a machine's uptime.

-- Who may use the operator's API. `hash` is the SHA-256 of the token.
CREATE TABLE tokens (
    name       TEXT PRIMARY KEY NOT NULL,
    hash       TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE machines (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    -- NULL: approved by fingerprint before it was ever seen.
    key            TEXT UNIQUE,
    fingerprint    TEXT NOT NULL UNIQUE,
    -- NULL while pending.
    name           TEXT UNIQUE,
    suggested_name TEXT,
    state          TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused')),
    -- Grows with each change of `assignment`, and with approval; never shrinks.
    generation     BIGINT NOT NULL DEFAULT 0,
    -- The assignment in force. Ids are never used twice, so a new one is always a change.
    assignment     BIGINT,
    created_ms     BIGINT NOT NULL,
    seen_ms        BIGINT,
    address        TEXT,
    image          TEXT,
    inventory      TEXT,
    failure        TEXT,
    failure_ms     BIGINT
);

CREATE INDEX machines_by_state ON machines (state, seen_ms);

CREATE TABLE machine_groups (
    machine BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    name    TEXT NOT NULL,
    PRIMARY KEY (machine, name)
);

-- Envelopes themselves are content-addressed files, as blobs are.
CREATE TABLE bundles (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    digest      TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    serial      BIGINT NOT NULL,
    fleet       TEXT NOT NULL,
    not_after_s BIGINT NOT NULL,
    files       BIGINT NOT NULL,
    total_size  BIGINT NOT NULL,
    signatures  BIGINT NOT NULL,
    pushed_ms   BIGINT NOT NULL
);

CREATE INDEX bundles_by_name ON bundles (name, serial);

CREATE TABLE assignments (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    scope       TEXT NOT NULL CHECK (scope IN ('machine', 'group', 'default')),
    machine     BIGINT REFERENCES machines (id) ON DELETE CASCADE,
    group_name  TEXT,
    bundle      BIGINT NOT NULL REFERENCES bundles (id),
    assigned_ms BIGINT NOT NULL,
    CHECK ((scope = 'machine') = (machine IS NOT NULL)),
    CHECK ((scope = 'group') = (group_name IS NOT NULL))
);

CREATE UNIQUE INDEX assignments_by_machine ON assignments (machine) WHERE machine IS NOT NULL;
CREATE UNIQUE INDEX assignments_by_group ON assignments (group_name) WHERE group_name IS NOT NULL;
CREATE UNIQUE INDEX assignments_default ON assignments (scope) WHERE scope = 'default';

CREATE TABLE boots (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    machine  BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    boot     TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    -- Every event up to this number is stored.
    through  BIGINT NOT NULL DEFAULT 0,
    UNIQUE (machine, boot)
);

CREATE TABLE runs (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    machine          BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    boot             BIGINT NOT NULL REFERENCES boots (id) ON DELETE CASCADE,
    run              TEXT NOT NULL,
    bundle           TEXT,
    name             TEXT,
    serial           BIGINT,
    -- 'lost': the machine restarted before it said how the run ended.
    state            TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'lost')),
    code             TEXT,
    cause            TEXT,
    exit_status      BIGINT,
    duration_ms      BIGINT,
    progress_percent BIGINT,
    progress_text    TEXT,
    started_ms       BIGINT NOT NULL,
    started_at_ms    BIGINT NOT NULL,
    first_number     BIGINT NOT NULL,
    ended_ms         BIGINT,
    ended_at_ms      BIGINT,
    last_number      BIGINT,
    UNIQUE (machine, run)
);

CREATE INDEX runs_by_id ON runs (run);
CREATE INDEX runs_by_machine ON runs (machine, id);
CREATE INDEX runs_by_boot ON runs (boot, state);

CREATE TABLE reports (
    run   BIGINT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
);

CREATE TABLE events (
    boot        BIGINT NOT NULL REFERENCES boots (id) ON DELETE CASCADE,
    number      BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    run         BIGINT,
    kind        TEXT NOT NULL,
    -- The event itself (`What`), as JSON.
    body        TEXT NOT NULL,
    PRIMARY KEY (boot, number)
) WITHOUT ROWID;

CREATE INDEX events_by_run ON events (run, number) WHERE run IS NOT NULL;
CREATE INDEX events_by_kind ON events (boot, kind, number) WHERE kind = 'phase';
