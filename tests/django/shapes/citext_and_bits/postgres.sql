-- The type of the addresses; SQLite takes any name of a type.
CREATE EXTENSION citext;
