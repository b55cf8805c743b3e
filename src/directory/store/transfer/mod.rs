//! Statements that read, write and compare all rows of all tables: for backups, restores and moves between databases.

pub(in crate::directory) mod access_rows;
mod copy_database;
mod copy_rows;
mod new_database;
pub(in crate::directory) mod replace_database;
mod rows;
pub(in crate::directory) mod snapshot_file;
pub(in crate::directory) mod tables;
