-- SQLite makes a table for an IN with more than two texts whenever it is asked: for every event and every change that
-- is noted. Comparisons cost it nothing, and mean the same. The PostgreSQL twin of this file has the same number, and
-- makes stamps cheaper, which cost nothing here.

ALTER TABLE audit_events DROP CONSTRAINT audit_events_actor_kind_known;
ALTER TABLE audit_events ADD CONSTRAINT audit_events_actor_kind_known
    CHECK (actor_kind = 'operator' OR actor_kind = 'person' OR actor_kind = 'anonymous');
ALTER TABLE identity_changes DROP CONSTRAINT identity_changes_scope_known;
ALTER TABLE identity_changes ADD CONSTRAINT identity_changes_scope_known
    CHECK (scope = 'user' OR scope = 'tokens' OR scope = 'all');
ALTER TABLE tokens DROP CONSTRAINT tokens_kind_known;
ALTER TABLE tokens ADD CONSTRAINT tokens_kind_known
    CHECK (kind = 'api' OR kind = 'sign_in' OR kind = 'imported');

-- The index is behind on whoever has changed; a second note is only needed where the id is another one, too.
DROP TRIGGER users_search_update;
CREATE TRIGGER users_search_update AFTER UPDATE OF id, search_key ON users
    WHEN old.search_key <> new.search_key OR old.id <> new.id BEGIN
    INSERT INTO users_search_pending (id, indexed_key) VALUES (old.id, old.search_key) ON CONFLICT (id) DO NOTHING;
    INSERT INTO users_search_pending (id) SELECT new.id WHERE new.id <> old.id ON CONFLICT (id) DO NOTHING;
END;

-- REPLACE deletes without telling triggers, and without foreign keys nothing follows what is deleted: what is put in a
-- row's place is noted, too, and so are permissions that come and go.
CREATE TRIGGER users_added AFTER INSERT ON users BEGIN
    INSERT INTO identity_changes (scope, user_id) VALUES ('user', new.id);
END;
CREATE TRIGGER permissions_added AFTER INSERT ON permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER permissions_removed AFTER DELETE ON permissions BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
