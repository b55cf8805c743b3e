-- Links that are mailed to users: invitations, and links for a forgotten password. The PostgreSQL twin of this file has the same
-- number, tables, columns and constraint names.

-- A user has at most one link of each kind: a newer one takes the place of the one before. Only the digest of its key is stored.
CREATE TABLE links (
    user_id    INTEGER NOT NULL CONSTRAINT links_user REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL,
    -- SHA-256 of the random key in the link.
    digest     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The name of the operator or person who sent it; empty if the user asked for it.
    made_by    TEXT    NOT NULL,
    used_at    INTEGER,
    -- When it was revoked, or ended by a change of its user.
    ended_at   INTEGER,
    CONSTRAINT links_unique PRIMARY KEY (user_id, kind),
    CONSTRAINT links_kind_known CHECK (kind IN ('invitation', 'password_reset')),
    CONSTRAINT links_ends_once CHECK (used_at IS NULL OR ended_at IS NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_by_digest ON links (digest);

-- When the e-mail address of a user was last changed: no link for a forgotten password goes to an address that is too new.
CREATE TABLE mail_changes (
    user_id    INTEGER PRIMARY KEY CONSTRAINT mail_changes_user REFERENCES users (id) ON DELETE CASCADE,
    changed_at INTEGER NOT NULL
) STRICT;

-- A new password, another address or a deactivation ends the links of a user, whoever writes it. A link that is being used is
-- marked before the password is written.
CREATE TRIGGER users_end_links AFTER UPDATE OF password, email, is_active ON users
WHEN old.password <> new.password OR old.email IS NOT new.email OR old.is_active <> new.is_active BEGIN
    UPDATE links SET ended_at = max(new.updated_at, created_at)
        WHERE user_id = new.id AND used_at IS NULL AND ended_at IS NULL;
END;
CREATE TRIGGER users_mail_changed AFTER UPDATE OF email ON users WHEN old.email IS NOT new.email BEGIN
    INSERT INTO mail_changes (user_id, changed_at) VALUES (new.id, new.updated_at)
        ON CONFLICT (user_id) DO UPDATE SET changed_at = excluded.changed_at;
END;
