-- Uploaded avatars that no user has, deleted users included. Their files are removed when they have been unreferenced for
-- long enough. The PostgreSQL twin of this file has the same number, columns and constraint names.
CREATE TABLE unreferenced_media (
    -- The full picture's name.
    name  TEXT    PRIMARY KEY,
    -- waiting: since when no user has it; removing: when a process began to remove its files.
    since INTEGER NOT NULL,
    state TEXT    NOT NULL,
    CONSTRAINT unreferenced_media_state CHECK (state IN ('waiting', 'removing'))
) STRICT, WITHOUT ROWID;

-- Whether some user has an uploaded avatar is looked up before its files are removed. Imported names are not in it, and no list
-- uses it.
CREATE INDEX users_by_upload ON users (avatar) WHERE avatar >= 'users/avatars/';
