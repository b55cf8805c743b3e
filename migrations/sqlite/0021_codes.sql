-- Signing in with a one-time code. The PostgreSQL twin of this file has the same number, tables, columns and constraint names.

-- A request for a code. It has the same row whether or not an account has the number or address; what was asked for is there
-- until a server has decided whether to send a code. Rows are kept for a day, because limits count them.
CREATE TABLE sign_in_codes (
    -- Random.
    id         INTEGER PRIMARY KEY,
    channel    TEXT    NOT NULL,
    -- SHA-256 of the number or address in its one form.
    target     BLOB    NOT NULL,
    -- The network that asked first; empty if it is not known.
    client     TEXT    NOT NULL,
    asked_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Null from the decision on.
    asked_for  TEXT,
    locale     TEXT,
    address    TEXT,
    request_id TEXT,
    -- Null if no code was sent.
    user_id    INTEGER CONSTRAINT sign_in_codes_user REFERENCES users (id) ON DELETE CASCADE,
    sent_at    INTEGER,
    -- HMAC of id and code.
    code       BLOB,
    tries      INTEGER NOT NULL,
    -- When the code was used, or ended by another one.
    ended_at   INTEGER,
    -- Whether only the limit of all accounts together kept it from being sent.
    over_limit INTEGER NOT NULL,
    CONSTRAINT sign_in_codes_channel_known CHECK (channel = 'sms' OR channel = 'mail')
) STRICT;
CREATE INDEX sign_in_codes_by_target ON sign_in_codes (target, expires_at);
CREATE INDEX sign_in_codes_by_user ON sign_in_codes (user_id, sent_at) WHERE user_id IS NOT NULL;
CREATE INDEX sign_in_codes_by_client ON sign_in_codes (client, sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX sign_in_codes_sent ON sign_in_codes (sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX sign_in_codes_undecided ON sign_in_codes (asked_at, id) WHERE asked_for IS NOT NULL;
CREATE INDEX sign_in_codes_by_age ON sign_in_codes (asked_at);

-- Which networks asked for which code.
CREATE TABLE code_requests (
    client   TEXT    NOT NULL,
    code_id  INTEGER NOT NULL CONSTRAINT code_requests_code REFERENCES sign_in_codes (id) ON DELETE CASCADE,
    target   BLOB    NOT NULL,
    asked_at INTEGER NOT NULL,
    CONSTRAINT code_requests_unique PRIMARY KEY (client, code_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX code_requests_by_code ON code_requests (code_id);

-- Wrong codes in a row.
CREATE TABLE code_failures (
    user_id  INTEGER PRIMARY KEY CONSTRAINT code_failures_user REFERENCES users (id) ON DELETE CASCADE,
    failures INTEGER NOT NULL
) STRICT;

-- Numbers and addresses that someone else than their user set, and when.
CREATE TABLE contact_changes (
    user_id    INTEGER NOT NULL CONSTRAINT contact_changes_user REFERENCES users (id) ON DELETE CASCADE,
    channel    TEXT    NOT NULL,
    changed_at INTEGER NOT NULL,
    CONSTRAINT contact_changes_unique PRIMARY KEY (user_id, channel)
) STRICT, WITHOUT ROWID;

-- Numbers are stored as people write them, and found without what they write between the digits.
CREATE INDEX users_by_number ON users (
    replace(replace(replace(replace(replace(replace(mobile_number, '(0)', ''), ' ', ''), '-', ''), '.', ''), '(', ''), ')', '')
) WHERE mobile_number <> '';
