-- A browser session is a token of its own kind, with the ways in which its owner proved who they are (names of RFC 8176 with a
-- blank between them). The PostgreSQL twin of this file has the same number, columns and constraint names.
ALTER TABLE tokens ADD COLUMN amr TEXT;
ALTER TABLE tokens DROP CONSTRAINT tokens_kind_known;
ALTER TABLE tokens ADD CONSTRAINT tokens_kind_known
    CHECK (kind = 'api' OR kind = 'sign_in' OR kind = 'imported' OR kind = 'browser');

-- A browser session counts as a sign-in.
DROP INDEX tokens_live_sign_ins;
CREATE INDEX tokens_live_sign_ins ON tokens (user_id, expires_at)
    WHERE (kind = 'sign_in' OR kind = 'browser') AND revoked_at IS NULL;

-- Cached identities show it.
DROP TRIGGER tokens_changed;
CREATE TRIGGER tokens_changed AFTER UPDATE OF name, kind, prefix, last_four, created_at, expires_at, revoked_at, made_by,
    root, scopes, read_only, allowed_networks, amr ON tokens BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id);
END;
INSERT INTO identity_changes (scope) VALUES ('all');

-- Views of lists that people saved for themselves: a name for the filters and the order of a list of the admin site.
CREATE TABLE saved_views (
    user_id INTEGER NOT NULL CONSTRAINT saved_views_user REFERENCES users (id) ON DELETE CASCADE,
    place   TEXT NOT NULL,
    name    TEXT NOT NULL,
    query   TEXT NOT NULL,
    CONSTRAINT saved_views_unique PRIMARY KEY (user_id, place, name)
) STRICT, WITHOUT ROWID;
