-- Deleted groups in the recycle bin: what is left of them until they are purged. Their names stay reserved while they
-- can be restored. The PostgreSQL twin of this file has the same number, tables, columns and constraint names.

CREATE TABLE deleted_groups (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    -- Folded, as in groups.
    name_key   TEXT    NOT NULL,
    deleted_at INTEGER NOT NULL,
    deleted_by TEXT    NOT NULL,
    -- As in groups: all that a search looks at.
    search_key TEXT    NOT NULL,
    -- The other columns of the row, and the codes of its permissions, as JSON.
    remains    TEXT    NOT NULL
) STRICT;
CREATE INDEX deleted_groups_by_time ON deleted_groups (deleted_at, id);
CREATE INDEX deleted_groups_by_name_key ON deleted_groups (name_key, id);
CREATE INDEX deleted_groups_by_name ON deleted_groups (name);

-- The members that the groups had. A user may be in the recycle bin as well, so the user is no reference.
CREATE TABLE deleted_memberships (
    group_id INTEGER NOT NULL
        CONSTRAINT deleted_memberships_group REFERENCES deleted_groups (id) ON DELETE CASCADE,
    user_id  INTEGER NOT NULL,
    CONSTRAINT deleted_memberships_unique PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX deleted_memberships_by_user ON deleted_memberships (user_id, group_id);
