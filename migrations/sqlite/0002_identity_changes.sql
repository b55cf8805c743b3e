-- The feed of changes: what a cached identity may have lost. Triggers write it, so no writer can forget to,
-- whoever it is: a use case, an import, or an operator's own SQL. The PostgreSQL twin of this file has the
-- same number, tables, columns and constraint names.
--
-- Numbers rise in the order of commits, because writers come one after the other. The stamp tells rows of
-- different histories apart: after a restore from a backup the same number may stand for another change.

CREATE TABLE identity_changes (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    stamp   INTEGER NOT NULL DEFAULT (random()),
    scope   TEXT    NOT NULL CONSTRAINT identity_changes_scope_known CHECK (scope IN ('user', 'tokens', 'all')),
    user_id INTEGER
) STRICT;
-- There is always a last row to hold on to.
INSERT INTO identity_changes (scope) VALUES ('all');

-- Not last_seen_at and updated_at: they are in no identity, and the first moves by use alone.
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, mobile_number, email, avatar, first_name, last_name,
    gender, is_active, is_staff, is_admin, last_login, created_at ON users BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.id);
END;
CREATE TRIGGER users_deleted AFTER DELETE ON users BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.id);
END;
CREATE TRIGGER memberships_added AFTER INSERT ON memberships BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', new.user_id);
END;
CREATE TRIGGER memberships_changed AFTER UPDATE ON memberships BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER memberships_removed AFTER DELETE ON memberships BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id);
END;
CREATE TRIGGER user_permissions_added AFTER INSERT ON user_permissions BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', new.user_id);
END;
CREATE TRIGGER user_permissions_changed AFTER UPDATE ON user_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER user_permissions_removed AFTER DELETE ON user_permissions BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id);
END;
-- What a group may do concerns all of its members, however many they are.
CREATE TRIGGER group_permissions_added AFTER INSERT ON group_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER group_permissions_changed AFTER UPDATE ON group_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER group_permissions_removed AFTER DELETE ON group_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER permissions_changed AFTER UPDATE ON permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
-- A new token concerns only those who were told that there is none.
CREATE TRIGGER tokens_added AFTER INSERT ON tokens BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('tokens', new.user_id);
END;
CREATE TRIGGER tokens_changed AFTER UPDATE OF name, kind, prefix, last_four, created_at, expires_at, revoked_at
    ON tokens BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id);
END;
CREATE TRIGGER tokens_moved AFTER UPDATE OF id, user_id, digest ON tokens BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id);
END;
