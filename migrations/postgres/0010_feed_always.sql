-- The triggers of the feed fire in every session, whatever it sets. With session_replication_role = replica (restores of
-- single tables, tools that copy rows, logical replication) they were silent, and cached identities stayed as they were.
-- The triggers that count the members of groups stay as they are: a tool that copies rows in this way copies the counts.
-- The SQLite twin of this file has the same number.

ALTER TABLE users
    ENABLE ALWAYS TRIGGER users_changed,
    ENABLE ALWAYS TRIGGER users_deleted,
    ENABLE ALWAYS TRIGGER users_truncated;
ALTER TABLE memberships
    ENABLE ALWAYS TRIGGER memberships_added,
    ENABLE ALWAYS TRIGGER memberships_changed,
    ENABLE ALWAYS TRIGGER memberships_removed,
    ENABLE ALWAYS TRIGGER memberships_truncated;
ALTER TABLE user_permissions
    ENABLE ALWAYS TRIGGER user_permissions_added,
    ENABLE ALWAYS TRIGGER user_permissions_changed,
    ENABLE ALWAYS TRIGGER user_permissions_removed,
    ENABLE ALWAYS TRIGGER user_permissions_truncated;
ALTER TABLE group_permissions
    ENABLE ALWAYS TRIGGER group_permissions_added,
    ENABLE ALWAYS TRIGGER group_permissions_changed,
    ENABLE ALWAYS TRIGGER group_permissions_removed,
    ENABLE ALWAYS TRIGGER group_permissions_truncated;
ALTER TABLE permissions
    ENABLE ALWAYS TRIGGER permissions_changed;
ALTER TABLE tokens
    ENABLE ALWAYS TRIGGER tokens_added,
    ENABLE ALWAYS TRIGGER tokens_changed,
    ENABLE ALWAYS TRIGGER tokens_moved,
    ENABLE ALWAYS TRIGGER tokens_deleted,
    ENABLE ALWAYS TRIGGER tokens_truncated;

-- Such a session does not check foreign keys, so users and permissions may come and go under rows that refer to them.
-- Elsewhere foreign keys prevent that, or the rows that follow are noted: these triggers fire in such a session only.
CREATE FUNCTION note_new_id() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN PERFORM note_identity_change('tokens', NEW.id); RETURN NULL; END $$;
CREATE TRIGGER users_added AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION note_new_id();
CREATE TRIGGER permissions_added AFTER INSERT ON permissions FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER permissions_removed AFTER DELETE ON permissions FOR EACH ROW EXECUTE FUNCTION note_all();
ALTER TABLE users ENABLE REPLICA TRIGGER users_added;
ALTER TABLE permissions
    ENABLE REPLICA TRIGGER permissions_added,
    ENABLE REPLICA TRIGGER permissions_removed;
