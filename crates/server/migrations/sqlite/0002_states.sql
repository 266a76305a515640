-- What machines shall do, apart from what they said that they did; assignments for one time, by label, and with
-- confirmation; what is done about those that fail.

-- As before, with `state`, and for labels and for machines that fail.
CREATE TABLE assignments_2 (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 'rescue': what a machine was given because it failed; it goes before all others.
    scope       TEXT NOT NULL CHECK (scope IN ('rescue', 'machine', 'group', 'labels', 'default')),
    machine     BIGINT REFERENCES machines (id) ON DELETE CASCADE,
    group_name  TEXT,
    -- As it was written, in its one form; and how many terms it has.
    selector    TEXT,
    terms       BIGINT NOT NULL DEFAULT 0,
    state       TEXT NOT NULL CHECK (state IN ('boot', 'install', 'rescue', 'disabled')),
    bundle      BIGINT REFERENCES bundles (id),
    -- Ends for a machine when it has done it: see `assignment_ends`.
    once        BOOLEAN NOT NULL DEFAULT FALSE,
    -- What a machine is assigned when it has done what is to be done once.
    then_state  TEXT CHECK (then_state IN ('boot', 'install', 'rescue', 'disabled')),
    then_bundle BIGINT REFERENCES bundles (id),
    -- Within so many seconds after the run the system that it started must say that it is up.
    confirm_s   BIGINT,
    reason      TEXT,
    assigned_ms BIGINT NOT NULL,
    CHECK ((scope IN ('rescue', 'machine')) = (machine IS NOT NULL)),
    CHECK ((scope = 'group') = (group_name IS NOT NULL)),
    CHECK ((scope = 'labels') = (selector IS NOT NULL)),
    CHECK (bundle IS NOT NULL OR state IN ('rescue', 'disabled'))
);

INSERT INTO assignments_2 (id, scope, machine, group_name, state, bundle, assigned_ms)
    SELECT id, scope, machine, group_name, 'boot', bundle, assigned_ms FROM assignments;

-- Ids are never used twice, not even those of assignments that are gone.
DELETE FROM sqlite_sequence WHERE name = 'assignments_2';
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'assignments_2', seq FROM sqlite_sequence WHERE name = 'assignments';

DROP TABLE assignments;
ALTER TABLE assignments_2 RENAME TO assignments;

CREATE UNIQUE INDEX assignments_by_machine ON assignments (machine, scope, once) WHERE machine IS NOT NULL;
CREATE UNIQUE INDEX assignments_by_group ON assignments (group_name, once) WHERE group_name IS NOT NULL;
CREATE UNIQUE INDEX assignments_by_labels ON assignments (selector, once) WHERE selector IS NOT NULL;
CREATE UNIQUE INDEX assignments_default ON assignments (scope, once) WHERE scope = 'default';

-- A selector's terms. `wanted`: how many labels of this key (and value, if there is one) a machine must have.
CREATE TABLE assignment_terms (
    assignment BIGINT NOT NULL REFERENCES assignments (id) ON DELETE CASCADE,
    key        TEXT NOT NULL,
    value      TEXT,
    wanted     BIGINT NOT NULL CHECK (wanted IN (0, 1))
);

CREATE INDEX assignment_terms_by_assignment ON assignment_terms (assignment);

-- What was to be done once, and is over for this machine.
CREATE TABLE assignment_ends (
    assignment BIGINT NOT NULL REFERENCES assignments (id) ON DELETE CASCADE,
    machine    BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    outcome    TEXT NOT NULL CHECK (outcome IN ('done', 'confirmed', 'unconfirmed')),
    at_ms      BIGINT NOT NULL,
    PRIMARY KEY (assignment, machine)
);

CREATE INDEX assignment_ends_by_machine ON assignment_ends (machine);

CREATE TABLE machine_labels (
    machine BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (machine, key)
);

-- What an operator should look at, and takes away.
CREATE TABLE flags (
    machine  BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    kind     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (machine, kind)
);

-- The assignment that was in force after an operator's last act: what he waits for.
ALTER TABLE machines ADD COLUMN asked BIGINT;
-- The power-on heard of last, and what the machine said of it.
ALTER TABLE machines ADD COLUMN boot BIGINT;
ALTER TABLE machines ADD COLUMN phase TEXT;
ALTER TABLE machines ADD COLUMN phase_ms BIGINT;
ALTER TABLE machines ADD COLUMN booted_ms BIGINT;
-- Until when the system that was started must have said that it is up.
ALTER TABLE machines ADD COLUMN confirm_ms BIGINT;
-- Where its runs failed last, how often in a row, and when it is to be told to try again.
ALTER TABLE machines ADD COLUMN place TEXT;
ALTER TABLE machines ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE machines ADD COLUMN retry_ms BIGINT;

CREATE INDEX machines_to_confirm ON machines (confirm_ms) WHERE confirm_ms IS NOT NULL;
CREATE INDEX machines_to_retry ON machines (retry_ms) WHERE retry_ms IS NOT NULL;

UPDATE machines SET asked = assignment,
    boot = (SELECT MAX(boots.id) FROM boots WHERE boots.machine = machines.id);

-- Which assignment a run carries out, as far as that is known.
ALTER TABLE runs ADD COLUMN assignment BIGINT;

-- `hash` is the SHA-256 of a token that says, once, that the system which a run started is up.
CREATE TABLE confirmations (
    hash       TEXT PRIMARY KEY NOT NULL,
    machine    BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    run        TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms    BIGINT
);

CREATE INDEX confirmations_by_machine ON confirmations (machine, created_ms);

-- What operators set for all machines.
CREATE TABLE settings (
    key   TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
