-- What the tracker must not forget: the newest value of each key, both as JSON.
CREATE TABLE records (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- The outbox. `state` is 0 for what was told (its key stays, its bytes are gone), 1 for what was set aside, 2 for what
-- waits. `place` gives the order and is made by the program; times are in unix nanoseconds.
CREATE TABLE spans (
    place INTEGER NOT NULL PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    is_failure BOOLEAN NOT NULL,
    state SMALLINT NOT NULL,
    reason TEXT NOT NULL,
    bytes BLOB NOT NULL
);
CREATE INDEX spans_in_order ON spans (state, place);
CREATE INDEX spans_by_worth ON spans (state, is_failure, place);
CREATE INDEX spans_by_age ON spans (at);
