-- What the admin site needs: sessions, saved views, counts for charts, the servers, and indexes for its lists.

-- A browser session is a token of its own kind, with the ways in which its owner proved who they are (names of RFC 8176 with a
-- blank between them). The SQLite twin of this file has the same number, columns and constraint names.
ALTER TABLE tokens ADD COLUMN amr TEXT COLLATE "C";
ALTER TABLE tokens DROP CONSTRAINT tokens_kind_known;
ALTER TABLE tokens ADD CONSTRAINT tokens_kind_known
    CHECK (kind = 'api' OR kind = 'sign_in' OR kind = 'imported' OR kind = 'browser');

-- A browser session counts as a sign-in.
DROP INDEX tokens_live_sign_ins;
CREATE INDEX tokens_live_sign_ins ON tokens (user_id, expires_at)
    WHERE (kind = 'sign_in' OR kind = 'browser') AND revoked_at IS NULL;

-- Cached identities show it.
DROP TRIGGER tokens_changed ON tokens;
CREATE TRIGGER tokens_changed AFTER UPDATE OF name, kind, prefix, last_four, created_at, expires_at, revoked_at, made_by,
    root, scopes, read_only, allowed_networks, amr ON tokens FOR EACH ROW EXECUTE FUNCTION note_old_user();
ALTER TABLE tokens ENABLE ALWAYS TRIGGER tokens_changed;
INSERT INTO identity_changes (scope) VALUES ('all');

-- Views of lists that people saved for themselves: a name for the filters and the order of a list of the admin site.
CREATE TABLE saved_views (
    user_id BIGINT NOT NULL CONSTRAINT saved_views_user REFERENCES users (id) ON DELETE CASCADE,
    place   TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    query   TEXT COLLATE "C" NOT NULL,
    CONSTRAINT saved_views_unique PRIMARY KEY (user_id, place, name)
);

-- How much happened, for the charts of the admin site: counts by the hour, kept 90 days, and by the day (UTC), kept two years.
CREATE TABLE activity (
    span      TEXT COLLATE "C" NOT NULL,
    -- When the hour or day began.
    starts_at BIGINT NOT NULL,
    kind      TEXT COLLATE "C" NOT NULL,
    count     BIGINT NOT NULL,
    CONSTRAINT activity_unique PRIMARY KEY (span, starts_at, kind),
    CONSTRAINT activity_span_known CHECK (span IN ('hour', 'day'))
);

-- The servers on this database, each with its version. On PostgreSQL a server writes its row once a minute.
CREATE TABLE servers (
    id         TEXT COLLATE "C" PRIMARY KEY,
    version    TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL
);

-- Tokens that need attention are few among many.
CREATE INDEX tokens_lasting_by_end ON tokens (revoked_at, expires_at, id)
    WHERE kind <> 'sign_in' AND kind <> 'browser' AND expires_at IS NOT NULL;
CREATE INDEX tokens_never_used ON tokens (created_at, id)
    WHERE kind <> 'sign_in' AND kind <> 'browser' AND revoked_at IS NULL AND last_used_at IS NULL;

-- Sessions are listed among many other tokens.
CREATE INDEX tokens_of_sign_ins ON tokens (kind, id) WHERE kind <> 'api' AND kind <> 'imported';

-- Lists of tokens by their issue.
CREATE INDEX tokens_by_issue ON tokens (created_at, id);

-- The audit trail is filtered by names and addresses, too, and by an action together with a range of times.
CREATE INDEX audit_events_by_actor_name ON audit_events (actor_name, id);
CREATE INDEX audit_events_by_object_name ON audit_events (object_name, id);
CREATE INDEX audit_events_by_address ON audit_events (address, id) WHERE address IS NOT NULL;
CREATE INDEX audit_events_by_action_and_time ON audit_events (action, at, id);
