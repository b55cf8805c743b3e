-- The feed of changes also serves lists: bitmaps of users in memory follow it. It names each user whose row, groups or tokens
-- changed, whoever wrote. What concerns the rights of many users, and no list, has a scope of its own. The SQLite twin of
-- this file has the same number and constraint names.

ALTER TABLE identity_changes DROP CONSTRAINT identity_changes_scope_known;
ALTER TABLE identity_changes ADD CONSTRAINT identity_changes_scope_known
    CHECK (scope = 'user' OR scope = 'tokens' OR scope = 'rights' OR scope = 'all');

-- The triggers that note a change of many users stay as they are. Of these tables alone lists show something.
CREATE OR REPLACE FUNCTION note_all() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_identity_change(
        CASE WHEN TG_TABLE_NAME IN ('users', 'memberships', 'tokens') THEN 'all' ELSE 'rights' END, NULL);
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION note_both_users() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_identity_change('user', OLD.user_id);
    PERFORM note_identity_change('user', NEW.user_id);
    RETURN NULL;
END $$;

-- Not last_seen_at: it moves by use alone, and lists read it from the table.
DROP TRIGGER users_changed ON users;
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, mobile_number, email, email_key, avatar, first_name, last_name,
    gender, is_active, is_staff, is_admin, last_login, created_at, updated_at, search_key ON users
    FOR EACH ROW EXECUTE FUNCTION note_old_id();
CREATE TRIGGER users_moved AFTER UPDATE OF id ON users
    FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION note_new_id();
DROP TRIGGER memberships_changed ON memberships;
CREATE TRIGGER memberships_changed AFTER UPDATE ON memberships FOR EACH ROW EXECUTE FUNCTION note_both_users();
-- A new user is in lists, whatever the session.
ALTER TABLE users
    ENABLE ALWAYS TRIGGER users_added,
    ENABLE ALWAYS TRIGGER users_changed,
    ENABLE ALWAYS TRIGGER users_moved;
ALTER TABLE memberships ENABLE ALWAYS TRIGGER memberships_changed;
INSERT INTO identity_changes (scope) VALUES ('all');
