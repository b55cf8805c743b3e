-- What is remembered of failed sign-ins and of rates, so that limits hold across replicas and restarts. Keys are
-- hashes: what was typed for a username may be a password. The PostgreSQL twin of this file has the same number,
-- tables, columns and constraint names.

CREATE TABLE attempts (
    key           BLOB    PRIMARY KEY,
    failures      INTEGER NOT NULL,
    -- No further attempt before this moment.
    blocked_until INTEGER NOT NULL,
    -- Forgotten after this moment.
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_end ON attempts (expires_at);

-- From where somebody has signed in before.
CREATE TABLE known_addresses (
    user_id INTEGER NOT NULL CONSTRAINT known_addresses_user REFERENCES users (id) ON DELETE CASCADE,
    network TEXT    NOT NULL,
    used_at INTEGER NOT NULL,
    CONSTRAINT known_addresses_unique PRIMARY KEY (user_id, network)
) STRICT, WITHOUT ROWID;

CREATE TABLE rate_counts (
    key          TEXT    NOT NULL,
    window_start INTEGER NOT NULL,
    count        INTEGER NOT NULL,
    CONSTRAINT rate_counts_unique PRIMARY KEY (key, window_start)
) STRICT, WITHOUT ROWID;
CREATE INDEX rate_counts_by_window ON rate_counts (window_start);
