-- Links that are mailed to users: invitations, and links for a forgotten password. The SQLite twin of this file has the same
-- number, tables, columns and constraint names.

-- A user has at most one link of each kind: a newer one takes the place of the one before. Only the digest of its key is stored.
CREATE TABLE links (
    user_id    BIGINT NOT NULL CONSTRAINT links_user REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the random key in the link.
    digest     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The name of the operator or person who sent it; empty if the user asked for it.
    made_by    TEXT COLLATE "C" NOT NULL,
    used_at    BIGINT,
    -- When it was revoked, or ended by a change of its user.
    ended_at   BIGINT,
    CONSTRAINT links_unique PRIMARY KEY (user_id, kind),
    CONSTRAINT links_kind_known CHECK (kind IN ('invitation', 'password_reset')),
    CONSTRAINT links_ends_once CHECK (used_at IS NULL OR ended_at IS NULL)
);
CREATE UNIQUE INDEX links_by_digest ON links (digest);

-- When the e-mail address of a user was last changed: no link for a forgotten password goes to an address that is too new.
CREATE TABLE mail_changes (
    user_id    BIGINT PRIMARY KEY CONSTRAINT mail_changes_user REFERENCES users (id) ON DELETE CASCADE,
    changed_at BIGINT NOT NULL
);

-- A new password, another address or a deactivation ends the links of a user, whoever writes it. A link that is being used is
-- marked before the password is written.
CREATE FUNCTION end_links() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE links SET ended_at = greatest(NEW.updated_at, created_at)
        WHERE user_id = NEW.id AND used_at IS NULL AND ended_at IS NULL;
    RETURN NULL;
END $$;
CREATE FUNCTION note_mail_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mail_changes (user_id, changed_at) VALUES (NEW.id, NEW.updated_at)
        ON CONFLICT (user_id) DO UPDATE SET changed_at = excluded.changed_at;
    RETURN NULL;
END $$;
CREATE TRIGGER users_end_links AFTER UPDATE OF password, email, is_active ON users FOR EACH ROW
    WHEN (OLD.password <> NEW.password OR OLD.email IS DISTINCT FROM NEW.email OR OLD.is_active <> NEW.is_active)
    EXECUTE FUNCTION end_links();
CREATE TRIGGER users_mail_changed AFTER UPDATE OF email ON users FOR EACH ROW
    WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION note_mail_change();
ALTER TABLE users ENABLE ALWAYS TRIGGER users_end_links, ENABLE ALWAYS TRIGGER users_mail_changed;
