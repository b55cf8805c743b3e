-- The feed of changes also serves lists: bitmaps of users in memory follow it. It names each user whose row, groups or tokens
-- changed, whoever wrote. What concerns the rights of many users, and no list, has a scope of its own. The PostgreSQL twin of
-- this file has the same number and constraint names.

ALTER TABLE identity_changes DROP CONSTRAINT identity_changes_scope_known;
ALTER TABLE identity_changes ADD CONSTRAINT identity_changes_scope_known
    CHECK (scope = 'user' OR scope = 'tokens' OR scope = 'rights' OR scope = 'all');

-- Not last_seen_at: it moves by use alone, and lists read it from the table.
DROP TRIGGER users_changed;
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, mobile_number, email, email_key, avatar, first_name, last_name,
    gender, is_active, is_staff, is_admin, last_login, created_at, updated_at, search_key ON users BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.id);
END;
CREATE TRIGGER users_moved AFTER UPDATE OF id ON users WHEN old.id <> new.id BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('tokens', new.id);
END;
DROP TRIGGER memberships_changed;
CREATE TRIGGER memberships_changed AFTER UPDATE ON memberships BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', old.user_id), ('user', new.user_id);
END;

-- REPLACE deletes rows without firing their triggers: those that have a unique value of the new row.
CREATE TRIGGER users_replaced BEFORE INSERT ON users BEGIN
    INSERT INTO identity_changes (scope, user_id)
        SELECT 'user', id FROM users WHERE username = new.username
        UNION ALL SELECT 'user', id FROM users WHERE mobile_number = new.mobile_number AND mobile_number <> ''
        UNION ALL SELECT 'user', id FROM users WHERE email = new.email AND email <> '';
END;
CREATE TRIGGER users_displaced BEFORE UPDATE OF id, username, mobile_number, email ON users BEGIN
    INSERT INTO identity_changes (scope, user_id)
        SELECT 'user', id FROM users WHERE id = new.id AND id <> old.id
        UNION ALL SELECT 'user', id FROM users WHERE username = new.username AND id <> old.id
        UNION ALL SELECT 'user', id FROM users WHERE mobile_number = new.mobile_number AND mobile_number <> '' AND id <> old.id
        UNION ALL SELECT 'user', id FROM users WHERE email = new.email AND email <> '' AND id <> old.id;
END;
CREATE TRIGGER tokens_replaced BEFORE INSERT ON tokens BEGIN
    INSERT INTO identity_changes (scope, user_id)
        SELECT 'user', user_id FROM tokens WHERE digest = new.digest
        UNION ALL SELECT 'user', user_id FROM tokens WHERE id = new.id;
END;

DROP TRIGGER user_permissions_changed;
CREATE TRIGGER user_permissions_changed AFTER UPDATE ON user_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER group_permissions_added;
CREATE TRIGGER group_permissions_added AFTER INSERT ON group_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER group_permissions_changed;
CREATE TRIGGER group_permissions_changed AFTER UPDATE ON group_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER group_permissions_removed;
CREATE TRIGGER group_permissions_removed AFTER DELETE ON group_permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER permissions_added;
CREATE TRIGGER permissions_added AFTER INSERT ON permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER permissions_changed;
CREATE TRIGGER permissions_changed AFTER UPDATE ON permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER permissions_removed;
CREATE TRIGGER permissions_removed AFTER DELETE ON permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER groups_changed;
CREATE TRIGGER groups_changed AFTER UPDATE OF id, name ON groups WHEN old.id <> new.id OR old.name <> new.name BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER groups_added;
CREATE TRIGGER groups_added AFTER INSERT ON groups
    WHEN EXISTS (SELECT 1 FROM memberships WHERE group_id = new.id) BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
DROP TRIGGER groups_removed;
CREATE TRIGGER groups_removed AFTER DELETE ON groups
    WHEN EXISTS (SELECT 1 FROM memberships WHERE group_id = old.id) BEGIN
    INSERT INTO identity_changes (scope) VALUES ('rights');
END;
INSERT INTO identity_changes (scope) VALUES ('all');
