-- Runs before migration 16, which stops at a group in the recycle bin that is no JSON and has the code 1282, and at a
-- sequence that gives an id a second time. Only SQL of someone's own makes either.

-- Such a group cannot be restored, before or after. Its text stays for someone who wants to read it.
DO $$
DECLARE
    held RECORD;
BEGIN
    FOR held IN SELECT id, remains FROM deleted_groups WHERE remains ~ '"permissions"\s*:\s*\[[^]]*1282' LOOP
        BEGIN
            PERFORM CAST(held.remains AS jsonb);
        EXCEPTION WHEN OTHERS THEN
            UPDATE deleted_groups SET remains = replace(held.remains, '"permissions"', '"unreadable permissions"')
            WHERE id = held.id;
        END;
    END LOOP;
END
$$;

SELECT setval(pg_get_serial_sequence('permissions', 'id'),
    GREATEST(highest, pg_sequence_last_value(CAST(pg_get_serial_sequence('permissions', 'id') AS regclass))))
FROM (SELECT max(id) AS highest FROM permissions WHERE id < 4503599627370496) AS known WHERE highest > 0;
