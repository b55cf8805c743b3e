-- What an import needs to know about the rows that are here, so that no user or group becomes another one and no token is
-- valid for longer than someone here decided. The PostgreSQL twin of this file has the same number, columns and constraint
-- names.

-- Whether a row was created here and no import has written it since. Its id says nothing about rows of another system
-- with that id. Users and groups from before are known by the event of their creation.
ALTER TABLE users ADD COLUMN made_here INTEGER NOT NULL DEFAULT 0
    CONSTRAINT users_made_here_boolean CHECK (made_here = 0 OR made_here = 1);
ALTER TABLE groups ADD COLUMN made_here INTEGER NOT NULL DEFAULT 0
    CONSTRAINT groups_made_here_boolean CHECK (made_here = 0 OR made_here = 1);
UPDATE users SET made_here = 1 WHERE id IN (SELECT object_id FROM audit_events WHERE action = 'user.create');
UPDATE groups SET made_here = 1 WHERE id IN (SELECT object_id FROM audit_events WHERE action = 'group.create');

-- Times that this program cannot read become the nearest that it can: the years are -9999 to 9999.
UPDATE users SET last_login = max(-377705116800000000, min(253402300799999999, last_login))
    WHERE last_login > 253402300799999999 OR last_login < -377705116800000000;
UPDATE users SET last_seen_at = max(-377705116800000000, min(253402300799999999, last_seen_at))
    WHERE last_seen_at > 253402300799999999 OR last_seen_at < -377705116800000000;
UPDATE users SET created_at = max(-377705116800000000, min(253402300799999999, created_at))
    WHERE created_at > 253402300799999999 OR created_at < -377705116800000000;
UPDATE users SET updated_at = max(-377705116800000000, min(253402300799999999, updated_at))
    WHERE updated_at > 253402300799999999 OR updated_at < -377705116800000000;
UPDATE groups SET created_at = max(-377705116800000000, min(253402300799999999, created_at))
    WHERE created_at > 253402300799999999 OR created_at < -377705116800000000;
UPDATE groups SET updated_at = max(-377705116800000000, min(253402300799999999, updated_at))
    WHERE updated_at > 253402300799999999 OR updated_at < -377705116800000000;
UPDATE tokens SET created_at = max(-377705116800000000, min(253402300799999999, created_at))
    WHERE created_at > 253402300799999999 OR created_at < -377705116800000000;
UPDATE tokens SET expires_at = max(-377705116800000000, min(253402300799999999, expires_at))
    WHERE expires_at > 253402300799999999 OR expires_at < -377705116800000000;
UPDATE tokens SET revoked_at = max(-377705116800000000, min(253402300799999999, revoked_at))
    WHERE revoked_at > 253402300799999999 OR revoked_at < -377705116800000000;
UPDATE tokens SET last_used_at = max(-377705116800000000, min(253402300799999999, last_used_at))
    WHERE last_used_at > 253402300799999999 OR last_used_at < -377705116800000000;
UPDATE deleted_users SET deleted_at = max(-377705116800000000, min(253402300799999999, deleted_at))
    WHERE deleted_at > 253402300799999999 OR deleted_at < -377705116800000000;

-- The end that a token got here, by a change or a rotation. An import moves it no later.
ALTER TABLE tokens ADD COLUMN ends_by INTEGER;
UPDATE tokens SET ends_by = expires_at WHERE expires_at IS NOT NULL AND (
    id IN (SELECT object_id FROM audit_events WHERE action = 'token.update' AND instr(changes, '"expires_at"') > 0)
    OR id IN (SELECT CAST(changes ->> 'replaces' AS INTEGER) FROM audit_events WHERE action = 'token.rotate'));

-- Null and empty notes differ.
ALTER TABLE groups ALTER COLUMN notes DROP NOT NULL;

-- New ids are below 2^52, because JavaScript misreads those above 2^53: an id above that which was imported does not
-- count. Those that were given after one have to stay.
UPDATE sqlite_sequence SET seq = max(
        coalesce((SELECT max(id) FROM users WHERE id < 4503599627370496), 0),
        coalesce((SELECT max(id) FROM deleted_users WHERE id < 4503599627370496), 0),
        coalesce((SELECT max(object_id) FROM audit_events WHERE object_kind = 'user' AND object_id < 4503599627370496), 0))
    WHERE name = 'users' AND seq >= 4503599627370496;
UPDATE sqlite_sequence SET seq = max(
        coalesce((SELECT max(id) FROM groups WHERE id < 4503599627370496), 0),
        coalesce((SELECT max(object_id) FROM audit_events WHERE object_kind = 'group' AND object_id < 4503599627370496), 0))
    WHERE name = 'groups' AND seq >= 4503599627370496;
UPDATE sqlite_sequence SET seq = max(
        coalesce((SELECT max(id) FROM tokens WHERE id < 4503599627370496), 0),
        coalesce((SELECT max(object_id) FROM audit_events WHERE object_kind = 'token' AND object_id < 4503599627370496), 0))
    WHERE name = 'tokens' AND seq >= 4503599627370496;
UPDATE sqlite_sequence SET seq = coalesce((SELECT max(id) FROM permissions WHERE id < 4503599627370496), 0)
    WHERE name = 'permissions' AND seq >= 4503599627370496;
