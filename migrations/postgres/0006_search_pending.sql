-- The SQLite twin of this file keeps a list of users whom its search index is behind on. PostgreSQL's index keeps one
-- of its own (fastupdate), so there is nothing to do here.
SELECT 1;
