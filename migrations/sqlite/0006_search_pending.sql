-- Which users the search index is behind on. Each statement that writes to the index costs it a segment of its own,
-- so triggers only note who has changed, and the program takes the notes away before it commits, all in one statement:
-- that brings the index up to date. A search looks at the index and at those noted here, so it finds everybody
-- whoever wrote, an operator's own SQL among them, whose notes the program's next transactions take away. PostgreSQL
-- keeps a list like this inside its index; the twin of this file has the same number and nothing to do.

CREATE TABLE users_search_pending (
    id          INTEGER PRIMARY KEY,
    -- The search_key by which the index holds the user; NULL where it does not.
    indexed_key TEXT
) STRICT;

DROP TRIGGER users_search_insert;
DROP TRIGGER users_search_delete;
DROP TRIGGER users_search_update;
CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
    INSERT INTO users_search_pending (id) VALUES (new.id) ON CONFLICT (id) DO NOTHING;
END;
CREATE TRIGGER users_search_delete AFTER DELETE ON users BEGIN
    INSERT INTO users_search_pending (id, indexed_key) VALUES (old.id, old.search_key) ON CONFLICT (id) DO NOTHING;
END;
CREATE TRIGGER users_search_update AFTER UPDATE OF id, search_key ON users
    WHEN old.search_key <> new.search_key OR old.id <> new.id BEGIN
    INSERT INTO users_search_pending (id, indexed_key) VALUES (old.id, old.search_key) ON CONFLICT (id) DO NOTHING;
    INSERT INTO users_search_pending (id) VALUES (new.id) ON CONFLICT (id) DO NOTHING;
END;
CREATE TRIGGER users_search_caught_up AFTER DELETE ON users_search_pending BEGIN
    INSERT INTO users_search (users_search, rowid, search_key)
        SELECT 'delete', old.id, old.indexed_key WHERE old.indexed_key IS NOT NULL;
    INSERT INTO users_search (rowid, search_key) SELECT id, search_key FROM users WHERE id = old.id;
END;
