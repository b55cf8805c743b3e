-- Signing in with a one-time code. The SQLite twin of this file has the same number, tables, columns and constraint names.

-- A request for a code. It has the same row whether or not an account has the number or address; what was asked for is there
-- until a server has decided whether to send a code. Rows are kept for a day, because limits count them.
CREATE TABLE sign_in_codes (
    -- Random.
    id         BIGINT PRIMARY KEY,
    channel    TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the number or address in its one form.
    target     BYTEA NOT NULL,
    -- The network that asked first; empty if it is not known.
    client     TEXT COLLATE "C" NOT NULL,
    asked_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Null from the decision on.
    asked_for  TEXT COLLATE "C",
    locale     TEXT COLLATE "C",
    address    TEXT COLLATE "C",
    request_id TEXT COLLATE "C",
    -- Null if no code was sent.
    user_id    BIGINT CONSTRAINT sign_in_codes_user REFERENCES users (id) ON DELETE CASCADE,
    sent_at    BIGINT,
    -- HMAC of id and code.
    code       BYTEA,
    tries      BIGINT NOT NULL,
    -- When the code was used, or ended by another one.
    ended_at   BIGINT,
    -- Whether only the limit of all accounts together kept it from being sent.
    over_limit BOOLEAN NOT NULL,
    CONSTRAINT sign_in_codes_channel_known CHECK (channel = 'sms' OR channel = 'mail')
);
CREATE INDEX sign_in_codes_by_target ON sign_in_codes (target, expires_at);
CREATE INDEX sign_in_codes_by_user ON sign_in_codes (user_id, sent_at) WHERE user_id IS NOT NULL;
CREATE INDEX sign_in_codes_by_client ON sign_in_codes (client, sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX sign_in_codes_sent ON sign_in_codes (sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX sign_in_codes_undecided ON sign_in_codes (asked_at, id) WHERE asked_for IS NOT NULL;
CREATE INDEX sign_in_codes_by_age ON sign_in_codes (asked_at);

-- Which networks asked for which code.
CREATE TABLE code_requests (
    client   TEXT COLLATE "C" NOT NULL,
    code_id  BIGINT NOT NULL CONSTRAINT code_requests_code REFERENCES sign_in_codes (id) ON DELETE CASCADE,
    target   BYTEA NOT NULL,
    asked_at BIGINT NOT NULL,
    CONSTRAINT code_requests_unique PRIMARY KEY (client, code_id)
);
CREATE INDEX code_requests_by_code ON code_requests (code_id);

-- Wrong codes in a row.
CREATE TABLE code_failures (
    user_id  BIGINT PRIMARY KEY CONSTRAINT code_failures_user REFERENCES users (id) ON DELETE CASCADE,
    failures BIGINT NOT NULL
);

-- Numbers and addresses that someone else than their user set, and when.
CREATE TABLE contact_changes (
    user_id    BIGINT NOT NULL CONSTRAINT contact_changes_user REFERENCES users (id) ON DELETE CASCADE,
    channel    TEXT COLLATE "C" NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT contact_changes_unique PRIMARY KEY (user_id, channel)
);

-- Numbers are stored as people write them, and found without what they write between the digits.
CREATE INDEX users_by_number ON users (
    replace(replace(replace(replace(replace(replace(mobile_number, '(0)', ''), ' ', ''), '-', ''), '.', ''), '(', ''), ')', '')
) WHERE mobile_number <> '';
