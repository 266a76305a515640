-- How long logs and runs are kept, and who is told of what.

-- How much the events of a power-on take, and when it was heard of last.
ALTER TABLE boots ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE boots ADD COLUMN last_ms BIGINT NOT NULL DEFAULT 0;

UPDATE boots SET last_ms = first_ms,
    bytes = (SELECT COALESCE(SUM(LENGTH(events.body)), 0) FROM events WHERE events.boot = boots.id);

CREATE INDEX boots_by_first ON boots (first_ms);

CREATE TABLE webhooks (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    url        TEXT NOT NULL UNIQUE,
    -- Words with commas between.
    kinds      TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- When people were told last.
CREATE TABLE notices (
    machine BIGINT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    at_ms   BIGINT NOT NULL,
    PRIMARY KEY (machine, kind)
);
