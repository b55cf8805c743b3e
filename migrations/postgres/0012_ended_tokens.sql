-- The digests of tokens that were revoked here, or whose expiry was changed here, and whose rows are gone: with their user,
-- or because they were no longer needed. A source may still have such a key. Its token is revoked, or expires, when it is
-- imported again. The rows are kept when the user is purged: they say nothing about a person. The SQLite twin of this file
-- has the same number, columns and constraint names.
CREATE TABLE ended_tokens (
    digest     BYTEA PRIMARY KEY,
    revoked_at BIGINT,
    -- As in tokens.
    ends_by    BIGINT,
    CONSTRAINT ended_tokens_ended CHECK (revoked_at IS NOT NULL OR ends_by IS NOT NULL)
);
