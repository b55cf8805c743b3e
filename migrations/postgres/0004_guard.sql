-- What is remembered of failed sign-ins and of rates, so that limits hold across replicas and restarts. Keys are
-- hashes: what was typed for a username may be a password. The SQLite twin of this file has the same number,
-- tables, columns and constraint names.

CREATE TABLE attempts (
    key           BYTEA  PRIMARY KEY,
    failures      BIGINT NOT NULL,
    -- No further attempt before this moment.
    blocked_until BIGINT NOT NULL,
    -- Forgotten after this moment.
    expires_at    BIGINT NOT NULL
);
CREATE INDEX attempts_by_end ON attempts (expires_at);

-- From where somebody has signed in before.
CREATE TABLE known_addresses (
    user_id BIGINT NOT NULL CONSTRAINT known_addresses_user REFERENCES users (id) ON DELETE CASCADE,
    network TEXT COLLATE "C" NOT NULL,
    used_at BIGINT NOT NULL,
    CONSTRAINT known_addresses_unique PRIMARY KEY (user_id, network)
);

CREATE TABLE rate_counts (
    key          TEXT COLLATE "C" NOT NULL,
    window_start BIGINT NOT NULL,
    count        BIGINT NOT NULL,
    CONSTRAINT rate_counts_unique PRIMARY KEY (key, window_start)
);
CREATE INDEX rate_counts_by_window ON rate_counts (window_start);
