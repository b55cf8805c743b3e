-- A stamp that costs a tenth: one is made for every change. The SQLite twin of this file writes constraints in another
-- way that is cheaper there, and means the same.
ALTER TABLE identity_changes ALTER COLUMN stamp SET DEFAULT hashfloat8extended(random(), 0);
