//! Statements about stored passwords as a whole: which encodings there are, and the key that decoys are drawn by.
//!
//! The key is a row of `attempts` that stands for no attempt: 32 random bytes behind a prefix, which makes it longer than
//! the SHA-256 digests of attempts. It never ends, and goes where the directory goes: into backups and other databases.

use super::Tx;
use super::fault::DatabaseError;
use super::row::{FromRow, Row};
use super::sql::Sql;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;

const PREFIX: &[u8] = b"decoys:";
/// The first key behind all those with that prefix.
const BEHIND: &[u8] = b"decoys;";

/// A stored password and whose it is.
pub(in crate::directory) struct Stored {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) password: String,
}

impl FromRow for Stored {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next()?, password: row.next()? })
    }
}

/// The key that decoys are drawn by.
pub(in crate::directory) struct DecoyKey(pub(in crate::directory) [u8; 32]);

impl FromRow for DecoyKey {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let key: Vec<u8> = row.next()?;
        let secret = key.strip_prefix(PREFIX).and_then(|secret| secret.try_into().ok());
        secret.map(Self).ok_or_else(|| DatabaseError::corrupt("key of decoys"))
    }
}

/// Stored passwords of users after an id, in the order of their ids.
pub(in crate::directory) fn stored_after(id: i64, limit: i64) -> Sql {
    Sql::new("SELECT id, password FROM users WHERE id > $1 ORDER BY id LIMIT $2").bind(id).bind(limit)
}

/// The key that decoys are drawn by, once there is one.
pub(in crate::directory) fn decoy_key() -> Sql {
    // More than one can only be there where rows of two databases were put together by hand.
    Sql::new("SELECT key FROM attempts WHERE key >= $1 AND key < $2 ORDER BY key LIMIT 1")
        .bind(PREFIX.to_vec())
        .bind(BEHIND.to_vec())
}

impl Tx<'_> {
    /// Keeps a key that decoys are drawn by, unless another process was quicker; returns the one that is kept.
    pub(in crate::directory) fn keep_decoy_key(&self, new: &[u8; 32]) -> Result<DecoyKey, Error> {
        if let Some(kept) = self.first(&decoy_key())? {
            return Ok(kept);
        }
        self.count_failure(&[PREFIX, new.as_slice()].concat(), 0, Timestamp::EPOCH, Timestamp::LAST)?;
        Ok(DecoyKey(*new))
    }
}
