-- What is kept of deleted users and groups may name permissions and groups that are gone. A later one with the same id or
-- code would come back with them. The SQLite twin of this file has the same number.
--
-- The text is changed in its place: jsonb would write all of it in another form. A quote inside a text is escaped, so the
-- pattern finds the list alone.
UPDATE deleted_users SET remains = regexp_replace(remains, '"permissions"\s*:\s*\[[0-9,\s]*\]', '"permissions":[' || coalesce((
    SELECT string_agg(btrim(held, E' \t\r\n'), ',' ORDER BY place)
    FROM regexp_split_to_table(substring(remains FROM '"permissions"\s*:\s*\[([0-9,\s]*)\]'), ',') WITH ORDINALITY AS each (held, place)
    WHERE btrim(held, E' \t\r\n') IN (SELECT CAST(id AS TEXT) FROM permissions)
), '') || ']') WHERE EXISTS (
    SELECT 1 FROM regexp_split_to_table(substring(remains FROM '"permissions"\s*:\s*\[([0-9,\s]*)\]'), ',') AS held
    WHERE btrim(held, E' \t\r\n') <> '' AND btrim(held, E' \t\r\n') NOT IN (SELECT CAST(id AS TEXT) FROM permissions)
);
UPDATE deleted_users SET remains = regexp_replace(remains, '"groups"\s*:\s*\[[0-9,\s]*\]', '"groups":[' || coalesce((
    SELECT string_agg(btrim(held, E' \t\r\n'), ',' ORDER BY place)
    FROM regexp_split_to_table(substring(remains FROM '"groups"\s*:\s*\[([0-9,\s]*)\]'), ',') WITH ORDINALITY AS each (held, place)
    WHERE btrim(held, E' \t\r\n') IN (SELECT CAST(id AS TEXT) FROM groups UNION ALL SELECT CAST(id AS TEXT) FROM deleted_groups)
), '') || ']') WHERE EXISTS (
    SELECT 1 FROM regexp_split_to_table(substring(remains FROM '"groups"\s*:\s*\[([0-9,\s]*)\]'), ',') AS held
    WHERE btrim(held, E' \t\r\n') <> '' AND btrim(held, E' \t\r\n') NOT IN (
        SELECT CAST(id AS TEXT) FROM groups UNION ALL SELECT CAST(id AS TEXT) FROM deleted_groups)
);
UPDATE deleted_groups SET remains = regexp_replace(remains, '"permissions"\s*:\s*\[[0-9,\s]*\]', '"permissions":[' || coalesce((
    SELECT string_agg(btrim(held, E' \t\r\n'), ',' ORDER BY place)
    FROM regexp_split_to_table(substring(remains FROM '"permissions"\s*:\s*\[([0-9,\s]*)\]'), ',') WITH ORDINALITY AS each (held, place)
    WHERE btrim(held, E' \t\r\n') IN (SELECT CAST(code AS TEXT) FROM permissions)
), '') || ']') WHERE EXISTS (
    SELECT 1 FROM regexp_split_to_table(substring(remains FROM '"permissions"\s*:\s*\[([0-9,\s]*)\]'), ',') AS held
    WHERE btrim(held, E' \t\r\n') <> '' AND btrim(held, E' \t\r\n') NOT IN (SELECT CAST(code AS TEXT) FROM permissions)
);

-- A sequence that someone's own SQL has left behind gives ids a second time.
SELECT setval(pg_get_serial_sequence(named, 'id'),
    GREATEST(highest, pg_sequence_last_value(CAST(pg_get_serial_sequence(named, 'id') AS regclass))))
FROM (
    SELECT 'users' AS named, GREATEST(
        (SELECT max(id) FROM users WHERE id < 4503599627370496), (SELECT max(id) FROM deleted_users WHERE id < 4503599627370496)
    ) AS highest
    UNION ALL SELECT 'groups', GREATEST(
        (SELECT max(id) FROM groups WHERE id < 4503599627370496), (SELECT max(id) FROM deleted_groups WHERE id < 4503599627370496)
    )
    UNION ALL SELECT 'permissions', max(id) FROM permissions WHERE id < 4503599627370496
    UNION ALL SELECT 'tokens', max(id) FROM tokens WHERE id < 4503599627370496
) AS known WHERE highest > 0;
