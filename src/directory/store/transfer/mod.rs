//! Reading, writing and comparing all rows of all tables, for backups, restores and moves between databases.

mod copy_database;
mod copy_rows;
mod new_database;
pub(in crate::directory) mod replace_database;
pub(super) mod rows;
pub(in crate::directory) mod snapshot_file;
pub(super) mod tables;
