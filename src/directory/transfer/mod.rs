//! Work on the whole account database: backups, restores, exports, imports, and the move to another database.

pub mod backup;
pub mod export;
pub mod import;
pub mod move_database;
pub mod record;
pub mod seed;
