-- A token may be narrowed: to some scopes (names with a blank between them; null is everything that its owner may do), to
-- reading, and to networks (null is anywhere). The PostgreSQL twin of this file has the same number, columns and constraint
-- names.
ALTER TABLE tokens ADD COLUMN scopes TEXT;
ALTER TABLE tokens ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0 CONSTRAINT tokens_read_only_boolean
    CHECK (read_only = 0 OR read_only = 1);
ALTER TABLE tokens ADD COLUMN allowed_networks TEXT;

-- Few tokens are narrow: lists find them, and so does a permission that is removed.
CREATE INDEX tokens_with_scopes ON tokens (id) WHERE scopes IS NOT NULL;
CREATE INDEX tokens_with_networks ON tokens (id) WHERE allowed_networks IS NOT NULL;

-- Cached identities depend on all three.
DROP TRIGGER tokens_changed;
CREATE TRIGGER tokens_changed AFTER UPDATE OF name, kind, prefix, last_four, created_at, expires_at, revoked_at, made_by,
    root, scopes, read_only, allowed_networks ON tokens BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id);
END;
INSERT INTO identity_changes (scope) VALUES ('all');
