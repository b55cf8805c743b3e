-- The permission of introspection. A permission that was imported with its code or its name keeps its holders and its
-- meaning, which are those of other services: it gets a code or a name of its own, so that no one gains a right here.
-- The SQLite twin of this file has the same number.

UPDATE permissions SET code = (
    SELECT coalesce(max(code), 9999) + 1 FROM permissions WHERE code BETWEEN 10000 AND 999998
) WHERE code = 1282;
UPDATE permissions SET name = name || '_' || CAST(code AS TEXT) WHERE name = 'introspection_read';
UPDATE deleted_groups SET remains = CAST(jsonb_set(CAST(remains AS jsonb), '{permissions}', (
    SELECT coalesce(jsonb_agg(held), CAST('[]' AS jsonb))
    FROM jsonb_array_elements(CAST(remains AS jsonb) -> 'permissions') AS held WHERE held <> CAST('1282' AS jsonb)
)) AS TEXT) WHERE CASE WHEN remains LIKE '%"permissions":[%1282%'
    THEN (CAST(remains AS jsonb) -> 'permissions') @> CAST('[1282]' AS jsonb) ELSE FALSE END;
INSERT INTO permissions (code, name) VALUES (1282, 'introspection_read');
