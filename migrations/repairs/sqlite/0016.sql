-- Runs before migration 16, which stops at a group in the recycle bin whose list of permissions has a null. Only SQL of
-- someone's own writes one, and the group could not be restored with it.
UPDATE deleted_groups SET remains = json_set(remains, '$.permissions', json((
    SELECT json_group_array(value) FROM json_each(deleted_groups.remains, '$.permissions') WHERE value IS NOT NULL
))) WHERE CASE WHEN json_valid(remains)
    THEN EXISTS (SELECT 1 FROM json_each(deleted_groups.remains, '$.permissions') WHERE value IS NULL) ELSE FALSE END;
