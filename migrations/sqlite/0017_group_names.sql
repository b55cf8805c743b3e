-- Cached identities show the names of groups. A use case wrote the feed when it renamed one; an operator's own SQL did not. The
-- PostgreSQL twin of this file has the same number.

CREATE TRIGGER groups_changed AFTER UPDATE OF id, name ON groups WHEN old.id <> new.id OR old.name <> new.name BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
-- In a session that does not check foreign keys, groups come and go under memberships that refer to them. Elsewhere there are no
-- memberships here: none yet, or none any more.
CREATE TRIGGER groups_added AFTER INSERT ON groups
    WHEN EXISTS (SELECT 1 FROM memberships WHERE group_id = new.id) BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
CREATE TRIGGER groups_removed AFTER DELETE ON groups
    WHEN EXISTS (SELECT 1 FROM memberships WHERE group_id = old.id) BEGIN
    INSERT INTO identity_changes (scope) VALUES ('all');
END;
INSERT INTO identity_changes (scope) VALUES ('all');
