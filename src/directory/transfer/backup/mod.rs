//! Backups: the account database and its media files in one archive, as of one moment, made while servers run.
//!
//! The database in an archive is always a SQLite file, whatever it was copied from, so a backup can be restored into
//! either database. Every byte of an archive is read again before the backup is reported as made.

mod archive;
mod compare;
mod create;
mod media;
mod restore;
mod side_by_side;
mod unpack;
mod verify;

pub use self::archive::{ArchiveMember, Manifest};
pub use self::create::BackupRequest;
pub use self::restore::{ReopenPolicy, RestoreReport, RestoreRequest};
pub use self::verify::{VerifiedBackup, verify_backup};
