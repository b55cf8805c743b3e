-- The permission of introspection. A permission that was imported with its code or its name keeps its holders and its
-- meaning, which are those of other services: it gets a code or a name of its own, so that no one gains a right here.
-- The PostgreSQL twin of this file has the same number.

UPDATE permissions SET code = (
    SELECT coalesce(max(code), 9999) + 1 FROM permissions WHERE code BETWEEN 10000 AND 999998
) WHERE code = 1282;
UPDATE permissions SET name = name || '_' || CAST(code AS TEXT) WHERE name = 'introspection_read';
UPDATE deleted_groups SET remains = json_set(remains, '$.permissions', (
    SELECT json_group_array(value) FROM json_each(deleted_groups.remains, '$.permissions') WHERE value <> 1282
)) WHERE json_valid(remains) AND EXISTS (
    SELECT 1 FROM json_each(deleted_groups.remains, '$.permissions') WHERE value = 1282
);
-- Not left to the counter: it follows ids that new rows do not follow, see store/new_ids.rs.
INSERT INTO permissions (id, code, name) SELECT 1 + max(
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'permissions' AND seq < 4503599627370496), 0),
    coalesce((SELECT max(id) FROM permissions WHERE id < 4503599627370496), 0)
), 1282, 'introspection_read';
