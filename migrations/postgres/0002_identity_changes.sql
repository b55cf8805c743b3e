-- The feed of changes: what a cached identity may have lost. Triggers write it, so no writer can forget to,
-- whoever it is: a use case, an import, or an operator's own SQL. The SQLite twin of this file has the same
-- number, tables, columns and constraint names.
--
-- Numbers rise in the order of commits: each trigger takes the writers' lock before it takes a number, and the
-- lock ends after the commit can be seen. The stamp tells rows of different histories apart: after a failover
-- that lost commits, or a restore, the same number may stand for another change.

CREATE TABLE identity_changes (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stamp   BIGINT NOT NULL DEFAULT (('x' || substr(md5(random()::text || clock_timestamp()::text), 1, 16))::bit(64)::bigint),
    scope   TEXT COLLATE "C" NOT NULL CONSTRAINT identity_changes_scope_known CHECK (scope IN ('user', 'tokens', 'all')),
    user_id BIGINT
);
-- There is always a last row to hold on to.
INSERT INTO identity_changes (scope) VALUES ('all');

CREATE FUNCTION note_identity_change(change TEXT, whose BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(6283734521);
    INSERT INTO identity_changes (scope, user_id) VALUES (change, whose);
END $$;
CREATE FUNCTION note_old_id() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN PERFORM note_identity_change('user', OLD.id); RETURN NULL; END $$;
CREATE FUNCTION note_old_user() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN PERFORM note_identity_change('user', OLD.user_id); RETURN NULL; END $$;
CREATE FUNCTION note_new_user() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN PERFORM note_identity_change('user', NEW.user_id); RETURN NULL; END $$;
CREATE FUNCTION note_new_token() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN PERFORM note_identity_change('tokens', NEW.user_id); RETURN NULL; END $$;
CREATE FUNCTION note_all() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN PERFORM note_identity_change('all', NULL); RETURN NULL; END $$;

-- Not last_seen_at and updated_at: they are in no identity, and the first moves by use alone.
CREATE TRIGGER users_changed AFTER UPDATE OF id, username, mobile_number, email, avatar, first_name, last_name,
    gender, is_active, is_staff, is_admin, last_login, created_at ON users
    FOR EACH ROW EXECUTE FUNCTION note_old_id();
CREATE TRIGGER users_deleted AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION note_old_id();
CREATE TRIGGER memberships_added AFTER INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION note_new_user();
CREATE TRIGGER memberships_changed AFTER UPDATE ON memberships FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER memberships_removed AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION note_old_user();
CREATE TRIGGER user_permissions_added AFTER INSERT ON user_permissions
    FOR EACH ROW EXECUTE FUNCTION note_new_user();
CREATE TRIGGER user_permissions_changed AFTER UPDATE ON user_permissions
    FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER user_permissions_removed AFTER DELETE ON user_permissions
    FOR EACH ROW EXECUTE FUNCTION note_old_user();
-- What a group may do concerns all of its members, however many they are.
CREATE TRIGGER group_permissions_added AFTER INSERT ON group_permissions FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER group_permissions_changed AFTER UPDATE ON group_permissions FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER group_permissions_removed AFTER DELETE ON group_permissions FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER permissions_changed AFTER UPDATE ON permissions FOR EACH ROW EXECUTE FUNCTION note_all();
-- A new token concerns only those who were told that there is none.
CREATE TRIGGER tokens_added AFTER INSERT ON tokens FOR EACH ROW EXECUTE FUNCTION note_new_token();
CREATE TRIGGER tokens_changed AFTER UPDATE OF name, kind, prefix, last_four, created_at, expires_at, revoked_at
    ON tokens FOR EACH ROW EXECUTE FUNCTION note_old_user();
CREATE TRIGGER tokens_moved AFTER UPDATE OF id, user_id, digest ON tokens FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens FOR EACH ROW EXECUTE FUNCTION note_old_user();
-- Emptying a table at once, too.
CREATE TRIGGER users_truncated AFTER TRUNCATE ON users FOR EACH STATEMENT EXECUTE FUNCTION note_all();
CREATE TRIGGER memberships_truncated AFTER TRUNCATE ON memberships FOR EACH STATEMENT EXECUTE FUNCTION note_all();
CREATE TRIGGER user_permissions_truncated AFTER TRUNCATE ON user_permissions FOR EACH STATEMENT EXECUTE FUNCTION note_all();
CREATE TRIGGER group_permissions_truncated AFTER TRUNCATE ON group_permissions FOR EACH STATEMENT EXECUTE FUNCTION note_all();
CREATE TRIGGER tokens_truncated AFTER TRUNCATE ON tokens FOR EACH STATEMENT EXECUTE FUNCTION note_all();
