-- The outbox: messages to people, written in the transaction of the change that they are about. A server takes a message,
-- sends it, and writes what came back. Text and address are encrypted with the secrets key (payload), and are removed when
-- the message is sent, withdrawn or expired. The SQLite twin of this file has the same number, columns and constraint names.
CREATE TABLE deliveries (
    -- The same over all attempts, for receivers that must not take a message twice.
    id          TEXT COLLATE "C" PRIMARY KEY,
    kind        TEXT COLLATE "C" NOT NULL,
    channel     TEXT COLLATE "C" NOT NULL,
    -- The address, of which a few characters are shown.
    target      TEXT COLLATE "C" NOT NULL,
    -- No reference: what was sent to a user stays listed after the user was deleted.
    user_id     BIGINT,
    state       TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    -- It is not sent after this time.
    expires_at  BIGINT NOT NULL,
    -- queued: when the next attempt is due; sending: when another server may take it over.
    next_at     BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    -- Marks the attempt in progress.
    lease       TEXT COLLATE "C",
    payload     BYTEA,
    -- Why the last attempt failed.
    error       TEXT COLLATE "C",
    finished_at BIGINT,
    CONSTRAINT deliveries_kind_known CHECK (kind IN ('code', 'invitation', 'password_reset', 'notice')),
    CONSTRAINT deliveries_channel_known CHECK (channel IN ('sms', 'mail')),
    CONSTRAINT deliveries_state_known CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'expired', 'dropped')),
    CONSTRAINT deliveries_finished CHECK ((finished_at IS NULL) = (state IN ('queued', 'sending'))),
    -- What failed keeps its text until it expires, so that it can be tried again.
    CONSTRAINT deliveries_text CHECK (
        CASE state WHEN 'failed' THEN true WHEN 'queued' THEN payload IS NOT NULL WHEN 'sending' THEN payload IS NOT NULL
        ELSE payload IS NULL END
    )
);

CREATE INDEX deliveries_waiting ON deliveries (next_at, id) WHERE finished_at IS NULL;
CREATE INDEX deliveries_by_end ON deliveries (finished_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_by_time ON deliveries (created_at, id);
CREATE INDEX deliveries_of_user ON deliveries (user_id, created_at) WHERE user_id IS NOT NULL;
