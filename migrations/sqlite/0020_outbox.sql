-- The outbox: messages to people, written in the transaction of the change that they are about. A server takes a message,
-- sends it, and writes what came back. Text and address are encrypted with the secrets key (payload), and are removed when
-- the message is sent, withdrawn or expired. The PostgreSQL twin of this file has the same number, columns and constraint names.
CREATE TABLE deliveries (
    -- The same over all attempts, for receivers that must not take a message twice.
    id          TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    -- The address, of which a few characters are shown.
    target      TEXT    NOT NULL,
    -- No reference: what was sent to a user stays listed after the user was deleted.
    user_id     INTEGER,
    state       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    -- It is not sent after this time.
    expires_at  INTEGER NOT NULL,
    -- queued: when the next attempt is due; sending: when another server may take it over.
    next_at     INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    -- Marks the attempt in progress.
    lease       TEXT,
    payload     BLOB,
    -- Why the last attempt failed.
    error       TEXT,
    finished_at INTEGER,
    CONSTRAINT deliveries_kind_known CHECK (kind IN ('code', 'invitation', 'password_reset', 'notice')),
    CONSTRAINT deliveries_channel_known CHECK (channel IN ('sms', 'mail')),
    CONSTRAINT deliveries_state_known CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'expired', 'dropped')),
    CONSTRAINT deliveries_finished CHECK ((finished_at IS NULL) = (state IN ('queued', 'sending'))),
    -- What failed keeps its text until it expires, so that it can be tried again.
    CONSTRAINT deliveries_text CHECK (
        CASE state WHEN 'failed' THEN true WHEN 'queued' THEN payload IS NOT NULL WHEN 'sending' THEN payload IS NOT NULL
        ELSE payload IS NULL END
    )
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_waiting ON deliveries (next_at, id) WHERE finished_at IS NULL;
CREATE INDEX deliveries_by_end ON deliveries (finished_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_by_time ON deliveries (created_at, id);
CREATE INDEX deliveries_of_user ON deliveries (user_id, created_at) WHERE user_id IS NOT NULL;
