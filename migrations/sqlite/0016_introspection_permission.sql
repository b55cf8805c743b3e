-- The permission of introspection. A permission that was imported with its code or its name keeps its holders and its
-- meaning, which are those of other services: it gets a code or a name of its own, so that no one gains a right here.
-- The PostgreSQL twin of this file has the same number.

-- The lowest free code. A code is free if neither a permission nor a group in the recycle bin has it.
CREATE TABLE moved_permission AS
WITH used (code) AS (
    SELECT code FROM permissions
    UNION SELECT held.value FROM deleted_groups, json_each(CASE WHEN json_valid(remains) THEN remains ELSE '{}' END, '$.permissions') held
), candidates (code) AS (
    SELECT 10000 UNION SELECT code + 1 FROM used WHERE code BETWEEN 10000 AND 999998
)
SELECT (SELECT min(code) FROM candidates WHERE code NOT IN (SELECT code FROM used)) AS code
FROM permissions WHERE code = 1282;
UPDATE permissions SET code = (SELECT code FROM moved_permission) WHERE code = 1282;
UPDATE deleted_groups SET remains = json_set(remains, '$.permissions', json((
    SELECT json_group_array(held) FROM (
        SELECT CASE WHEN value = 1282 THEN (SELECT code FROM moved_permission) ELSE value END AS held
        FROM json_each(deleted_groups.remains, '$.permissions')
    ) WHERE held IS NOT NULL
))) WHERE json_valid(remains) AND EXISTS (
    SELECT 1 FROM json_each(deleted_groups.remains, '$.permissions') WHERE value = 1282
);
DROP TABLE moved_permission;

-- The name with the code behind it, or with the first higher number that makes a free name.
UPDATE permissions SET name = name || '_' || (
    WITH RECURSIVE further (number) AS (
        SELECT 0 UNION ALL SELECT number + 1 FROM further WHERE number < (SELECT count(*) FROM permissions)
    )
    SELECT min(old.code + further.number) FROM permissions old, further WHERE old.name = 'introspection_read'
    AND NOT EXISTS (
        SELECT 1 FROM permissions other WHERE other.name = 'introspection_read_' || (old.code + further.number)
    )
) WHERE name = 'introspection_read';
-- Not left to the counter: it follows ids that new rows do not follow, see store/new_ids.rs.
INSERT INTO permissions (id, code, name) SELECT 1 + max(
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'permissions' AND seq < 4503599627370496), 0),
    coalesce((SELECT max(id) FROM permissions WHERE id < 4503599627370496), 0)
), 1282, 'introspection_read';
