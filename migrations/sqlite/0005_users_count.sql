-- How many users belong to a group, kept and not counted each time: every answer about a user tells it of each of
-- the user's groups, and a group may have everybody in it. Triggers keep it, whoever writes. The PostgreSQL twin
-- of this file has the same number, tables, columns and constraint names.

ALTER TABLE groups ADD COLUMN users_count INTEGER NOT NULL DEFAULT 0;
UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id);

CREATE TRIGGER memberships_counted_added AFTER INSERT ON memberships BEGIN
    UPDATE groups SET users_count = users_count + 1 WHERE id = new.group_id;
END;
CREATE TRIGGER memberships_counted_changed AFTER UPDATE OF group_id ON memberships BEGIN
    UPDATE groups SET users_count = users_count - 1 WHERE id = old.group_id;
    UPDATE groups SET users_count = users_count + 1 WHERE id = new.group_id;
END;
CREATE TRIGGER memberships_counted_removed AFTER DELETE ON memberships BEGIN
    UPDATE groups SET users_count = users_count - 1 WHERE id = old.group_id;
END;
