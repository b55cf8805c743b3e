-- A token remembers what made it, and the sign-in that it came of: the digest of the first token of that sign-in, copied
-- to whatever it issues or rotates. So all that came of a sign-in is found at once, and stays together in another
-- database, where ids may differ. The PostgreSQL twin of this file has the same number, columns and constraint names.

ALTER TABLE tokens ADD COLUMN made_by TEXT NOT NULL DEFAULT 'unknown' CONSTRAINT tokens_made_by_known
    CHECK (made_by = 'unknown' OR made_by = 'sign_in' OR made_by = 'token' OR made_by = 'operator' OR made_by = 'import');
ALTER TABLE tokens ADD COLUMN root BLOB;

-- Many rows change: one row of the feed stands for all of them.
DROP TRIGGER tokens_changed;
-- What made an API token was not kept. A sign-in that somebody took the end from gets one again.
UPDATE tokens SET made_by = 'sign_in', root = digest, expires_at = coalesce(expires_at, created_at + 43200000000)
    WHERE kind = 'sign_in';
UPDATE tokens SET made_by = 'import' WHERE kind = 'imported';
-- Both ends of a foreign key may be most of it. How long it is was not kept: little enough is shown from now on.
UPDATE tokens SET last_four = '', prefix = CASE
        WHEN length(prefix) < 4 OR prefix = last_four OR substr(prefix, 2) = substr(last_four, 1, 3) THEN ''
        ELSE substr(prefix, 1, 2) END
    WHERE substr(prefix, 1, 4) <> 'wrd_' AND length(digest) = 32;
CREATE TRIGGER tokens_changed AFTER UPDATE OF name, kind, prefix, last_four, created_at, expires_at, revoked_at, made_by,
    root ON tokens BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id);
END;
INSERT INTO identity_changes (scope) VALUES ('all');

CREATE INDEX tokens_by_root ON tokens (root) WHERE root IS NOT NULL;
CREATE INDEX tokens_live_sign_ins ON tokens (user_id, expires_at) WHERE kind = 'sign_in' AND revoked_at IS NULL;
-- By which ended tokens are found when their time is over.
CREATE INDEX tokens_by_end ON tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX tokens_by_revocation ON tokens (revoked_at) WHERE revoked_at IS NOT NULL;
