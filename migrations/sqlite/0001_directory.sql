-- The directory: who exists, who may do what, whose token is this.
-- The PostgreSQL twin of this file has the same number, tables, columns and constraint names.
-- Times are whole microseconds since 1970-01-01T00:00:00Z. Columns that end in _key hold a folded
-- form (NFKC, full case folding) made by the program: search and order use them, so that both
-- databases find and sort alike.

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT    NOT NULL,
    username_key  TEXT    NOT NULL,
    mobile_number TEXT,
    email         TEXT,
    email_key     TEXT    NOT NULL,
    avatar        TEXT,
    first_name    TEXT    NOT NULL,
    last_name     TEXT    NOT NULL,
    gender        TEXT,
    password      TEXT    NOT NULL,
    is_active     INTEGER NOT NULL CONSTRAINT users_is_active_boolean CHECK (is_active IN (0, 1)),
    is_staff      INTEGER NOT NULL CONSTRAINT users_is_staff_boolean CHECK (is_staff IN (0, 1)),
    is_admin      INTEGER NOT NULL CONSTRAINT users_is_admin_boolean CHECK (is_admin IN (0, 1)),
    last_login    INTEGER,
    last_seen_at  INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    search_key    TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX users_username_unique ON users (username);
CREATE UNIQUE INDEX users_mobile_number_unique ON users (mobile_number) WHERE mobile_number <> '';
CREATE UNIQUE INDEX users_email_unique ON users (email) WHERE email <> '';
CREATE INDEX users_by_username ON users (username_key, id);
CREATE INDEX users_by_email ON users (email_key, id);
CREATE INDEX users_by_gender ON users (gender, id);
CREATE INDEX users_by_last_login ON users (last_login, id);
CREATE INDEX users_by_created_at ON users (created_at, id);
CREATE INDEX users_by_updated_at ON users (updated_at, id);
CREATE INDEX users_by_last_seen_at ON users (last_seen_at, id) WHERE last_seen_at IS NOT NULL;
-- The few among the many: an index on a flag pays only for its rare value.
CREATE INDEX users_inactive ON users (id) WHERE NOT is_active;
CREATE INDEX users_staff ON users (id) WHERE is_staff;
CREATE INDEX users_admins ON users (id) WHERE is_admin;
CREATE INDEX users_with_avatar ON users (id) WHERE avatar <> '';

-- Trigrams of search_key, for terms found anywhere in a field. Only row numbers are kept
-- (detail=none): a match is a candidate that the query checks against search_key itself.
CREATE VIRTUAL TABLE users_search USING fts5 (
    search_key, content = 'users', content_rowid = 'id',
    tokenize = 'trigram case_sensitive 1', detail = 'none', columnsize = 0
);
CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
    INSERT INTO users_search (rowid, search_key) VALUES (new.id, new.search_key);
END;
CREATE TRIGGER users_search_delete AFTER DELETE ON users BEGIN
    INSERT INTO users_search (users_search, rowid, search_key) VALUES ('delete', old.id, old.search_key);
END;
CREATE TRIGGER users_search_update AFTER UPDATE OF id, search_key ON users
    WHEN old.search_key <> new.search_key OR old.id <> new.id BEGIN
    INSERT INTO users_search (users_search, rowid, search_key) VALUES ('delete', old.id, old.search_key);
    INSERT INTO users_search (rowid, search_key) VALUES (new.id, new.search_key);
END;

CREATE TABLE groups (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL,
    notes      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    search_key TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX groups_name_unique ON groups (name);
CREATE INDEX groups_by_name ON groups (name_key, id);
CREATE INDEX groups_by_created_at ON groups (created_at, id);
CREATE INDEX groups_by_updated_at ON groups (updated_at, id);

CREATE TABLE memberships (
    user_id  INTEGER NOT NULL CONSTRAINT memberships_user REFERENCES users (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL CONSTRAINT memberships_group REFERENCES groups (id) ON DELETE CASCADE,
    CONSTRAINT memberships_unique PRIMARY KEY (user_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_group ON memberships (group_id, user_id);

CREATE TABLE permissions (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    code INTEGER NOT NULL,
    name TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX permissions_code_unique ON permissions (code);
CREATE UNIQUE INDEX permissions_name_unique ON permissions (name);

CREATE TABLE user_permissions (
    user_id       INTEGER NOT NULL CONSTRAINT user_permissions_user REFERENCES users (id) ON DELETE CASCADE,
    permission_id INTEGER NOT NULL CONSTRAINT user_permissions_permission REFERENCES permissions (id) ON DELETE CASCADE,
    CONSTRAINT user_permissions_unique PRIMARY KEY (user_id, permission_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_permissions_by_permission ON user_permissions (permission_id, user_id);

CREATE TABLE group_permissions (
    group_id      INTEGER NOT NULL CONSTRAINT group_permissions_group REFERENCES groups (id) ON DELETE CASCADE,
    permission_id INTEGER NOT NULL CONSTRAINT group_permissions_permission REFERENCES permissions (id) ON DELETE CASCADE,
    CONSTRAINT group_permissions_unique PRIMARY KEY (group_id, permission_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_permissions_by_permission ON group_permissions (permission_id, group_id);

CREATE TABLE tokens (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id        INTEGER NOT NULL CONSTRAINT tokens_user REFERENCES users (id) ON DELETE CASCADE,
    name           TEXT    NOT NULL,
    kind           TEXT    NOT NULL CONSTRAINT tokens_kind_known CHECK (kind IN ('api', 'sign_in', 'imported')),
    digest         BLOB    NOT NULL,
    prefix         TEXT    NOT NULL,
    last_four      TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    last_used_at   INTEGER,
    last_used_from TEXT
) STRICT;
CREATE UNIQUE INDEX tokens_digest_unique ON tokens (digest);
CREATE INDEX tokens_by_user ON tokens (user_id, id);

CREATE TABLE audit_events (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    actor_kind    TEXT    NOT NULL CONSTRAINT audit_events_actor_kind_known CHECK (actor_kind IN ('operator', 'person', 'anonymous')),
    actor_id      INTEGER,
    actor_name    TEXT    NOT NULL,
    action        TEXT    NOT NULL,
    object_kind   TEXT    NOT NULL,
    object_id     INTEGER,
    object_name   TEXT    NOT NULL,
    changes       TEXT    NOT NULL,
    address       TEXT,
    request_id    TEXT,
    previous_hash BLOB    NOT NULL,
    hash          BLOB    NOT NULL
) STRICT;
CREATE INDEX audit_events_by_time ON audit_events (at, id);
CREATE INDEX audit_events_by_actor ON audit_events (actor_id, id);
CREATE INDEX audit_events_by_action ON audit_events (action, id);
CREATE INDEX audit_events_by_object ON audit_events (object_kind, object_id, id);

INSERT INTO permissions (id, code, name) VALUES
    (1, 1201, 'group_create'), (2, 1202, 'group_read'), (3, 1203, 'group_update'), (4, 1204, 'group_delete'),
    (5, 1221, 'user_create'), (6, 1222, 'user_read'), (7, 1223, 'user_update'), (8, 1224, 'user_delete'),
    (9, 1231, 'token_create'), (10, 1232, 'token_read'), (11, 1233, 'token_update'), (12, 1234, 'token_delete'),
    (13, 1242, 'audit_read'), (14, 1252, 'permission_read');
