-- How many users belong to a group, kept and not counted each time: every answer about a user tells it of each of
-- the user's groups, and a group may have everybody in it. Triggers keep it, whoever writes: once a statement, so
-- that many rows at once do not make as many versions of a group's row. The SQLite twin of this file has the same
-- number, tables, columns and constraint names.

ALTER TABLE groups ADD COLUMN users_count BIGINT NOT NULL DEFAULT 0;
UPDATE groups SET users_count = (SELECT count(*) FROM memberships m WHERE m.group_id = groups.id);

CREATE FUNCTION count_members_added() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE groups SET users_count = users_count + n
        FROM (SELECT group_id, count(*) AS n FROM added GROUP BY group_id) news WHERE groups.id = news.group_id;
    RETURN NULL;
END $$;
CREATE FUNCTION count_members_removed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE groups SET users_count = users_count - n
        FROM (SELECT group_id, count(*) AS n FROM removed GROUP BY group_id) news WHERE groups.id = news.group_id;
    RETURN NULL;
END $$;
CREATE FUNCTION count_members_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE groups SET users_count = users_count + n
        FROM (SELECT group_id, sum(n) AS n FROM (
                  SELECT group_id, 1 AS n FROM added UNION ALL SELECT group_id, -1 FROM removed) each
              GROUP BY group_id HAVING sum(n) <> 0) news
        WHERE groups.id = news.group_id;
    RETURN NULL;
END $$;
CREATE FUNCTION count_members_truncated() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE groups SET users_count = 0 WHERE users_count <> 0;
    RETURN NULL;
END $$;
-- By their names they come after the triggers that take the writers' lock.
CREATE TRIGGER memberships_counted_added AFTER INSERT ON memberships REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_members_added();
CREATE TRIGGER memberships_counted_changed AFTER UPDATE ON memberships
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_members_changed();
CREATE TRIGGER memberships_counted_removed AFTER DELETE ON memberships REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION count_members_removed();
CREATE TRIGGER memberships_counted_truncated AFTER TRUNCATE ON memberships
    FOR EACH STATEMENT EXECUTE FUNCTION count_members_truncated();
