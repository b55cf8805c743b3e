-- The permission of introspection. A permission that was imported with its code or its name keeps its holders and its
-- meaning, which are those of other services: it gets a code or a name of its own, so that no one gains a right here.
-- The SQLite twin of this file has the same number.

-- The lowest free code. A code is free if neither a permission nor a group in the recycle bin has it.
CREATE TABLE moved_permission AS
WITH used (code) AS (
    SELECT code FROM permissions
    UNION SELECT CAST(held AS BIGINT) FROM deleted_groups,
        regexp_split_to_table(substring(remains FROM '"permissions": *\[([0-9, ]*)\]'), ' *, *') AS held
        WHERE held ~ '^[0-9]{1,18}$'
), candidates (code) AS (
    SELECT CAST(10000 AS BIGINT) UNION SELECT code + 1 FROM used WHERE code BETWEEN 10000 AND 999998
)
SELECT (SELECT min(code) FROM candidates WHERE code NOT IN (SELECT code FROM used)) AS code
FROM permissions WHERE code = 1282;
UPDATE permissions SET code = (SELECT code FROM moved_permission) WHERE code = 1282;
UPDATE deleted_groups SET remains = CAST(jsonb_set(CAST(remains AS jsonb), '{permissions}', (
    SELECT coalesce(jsonb_agg(held), CAST('[]' AS jsonb)) FROM (
        SELECT CASE WHEN value = CAST('1282' AS jsonb) THEN (SELECT to_jsonb(code) FROM moved_permission) ELSE value END AS held
        FROM jsonb_array_elements(CAST(remains AS jsonb) -> 'permissions') AS each (value)
    ) AS kept WHERE held IS NOT NULL
)) AS TEXT) WHERE CASE WHEN remains ~ '"permissions": *\[[^]]*1282'
    THEN (CAST(remains AS jsonb) -> 'permissions') @> CAST('[1282]' AS jsonb) ELSE FALSE END;
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
INSERT INTO permissions (code, name) VALUES (1282, 'introspection_read');
