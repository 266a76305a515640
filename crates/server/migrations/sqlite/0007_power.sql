-- How machines are switched on and off.
CREATE TABLE power (
    machine  BIGINT PRIMARY KEY NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    -- For people: the driver, and where it reaches; no secrets.
    driver   TEXT NOT NULL,
    address  TEXT NOT NULL,
    -- The settings as JSON, encrypted with the key in the server's folder.
    sealed   TEXT NOT NULL,
    -- A machine that does not come back is switched off and on so often, with so many seconds between.
    attempts BIGINT NOT NULL,
    wait_s   BIGINT NOT NULL,
    -- How often that was done since it was heard of, and when it is due next.
    cycles   BIGINT NOT NULL DEFAULT 0,
    due_ms   BIGINT
);

CREATE INDEX power_due ON power (due_ms) WHERE due_ms IS NOT NULL;
