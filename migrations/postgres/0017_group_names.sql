-- Cached identities show the names of groups. A use case wrote the feed when it renamed one; an operator's own SQL did not. The
-- SQLite twin of this file has the same number.

CREATE TRIGGER groups_changed AFTER UPDATE OF id, name ON groups
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.name <> NEW.name) EXECUTE FUNCTION note_all();
-- In a session that does not check foreign keys, groups come and go under memberships that refer to them. Elsewhere the
-- memberships that come and go are noted: these two fire in such a session only.
CREATE TRIGGER groups_added AFTER INSERT ON groups FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER groups_removed AFTER DELETE ON groups FOR EACH ROW EXECUTE FUNCTION note_all();
CREATE TRIGGER groups_truncated AFTER TRUNCATE ON groups FOR EACH STATEMENT EXECUTE FUNCTION note_all();
ALTER TABLE groups
    ENABLE ALWAYS TRIGGER groups_changed,
    ENABLE REPLICA TRIGGER groups_added,
    ENABLE REPLICA TRIGGER groups_removed,
    ENABLE ALWAYS TRIGGER groups_truncated;
INSERT INTO identity_changes (scope) VALUES ('all');
