-- The recycle bin: what is left of deleted users until it is purged. They are moved here, so that nothing that
-- reads users can show one by mistake, and their names, addresses and numbers are free for others. The SQLite
-- twin of this file has the same number, tables, columns and constraint names.

CREATE TABLE deleted_users (
    id         BIGINT PRIMARY KEY,
    username   TEXT COLLATE "C" NOT NULL,
    -- Folded, as in users.
    username_key TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C",
    deleted_at BIGINT NOT NULL,
    deleted_by TEXT COLLATE "C" NOT NULL,
    -- As in users: all that a search looks at.
    search_key TEXT COLLATE "C" NOT NULL,
    -- The row with its groups and permissions, as JSON. Tokens are not kept.
    remains    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX deleted_users_by_time ON deleted_users (deleted_at, id);
CREATE INDEX deleted_users_by_username ON deleted_users (username_key, id);
