-- What is kept of deleted users and groups may name permissions and groups that are gone. A later one with the same id or
-- code would come back with them. The PostgreSQL twin of this file has the same number.
UPDATE deleted_users SET remains = json_set(remains, '$.permissions', json((
    SELECT json_group_array(value) FROM json_each(deleted_users.remains, '$.permissions')
    WHERE value IN (SELECT id FROM permissions)
))) WHERE CASE WHEN json_valid(remains) THEN EXISTS (
    SELECT 1 FROM json_each(deleted_users.remains, '$.permissions') WHERE coalesce(value NOT IN (SELECT id FROM permissions), TRUE)
) ELSE FALSE END;
UPDATE deleted_users SET remains = json_set(remains, '$.groups', json((
    SELECT json_group_array(value) FROM json_each(deleted_users.remains, '$.groups')
    WHERE value IN (SELECT id FROM groups UNION ALL SELECT id FROM deleted_groups)
))) WHERE CASE WHEN json_valid(remains) THEN EXISTS (
    SELECT 1 FROM json_each(deleted_users.remains, '$.groups')
    WHERE coalesce(value NOT IN (SELECT id FROM groups UNION ALL SELECT id FROM deleted_groups), TRUE)
) ELSE FALSE END;
UPDATE deleted_groups SET remains = json_set(remains, '$.permissions', json((
    SELECT json_group_array(value) FROM json_each(deleted_groups.remains, '$.permissions')
    WHERE value IN (SELECT code FROM permissions)
))) WHERE CASE WHEN json_valid(remains) THEN EXISTS (
    SELECT 1 FROM json_each(deleted_groups.remains, '$.permissions') WHERE coalesce(value NOT IN (SELECT code FROM permissions), TRUE)
) ELSE FALSE END;
