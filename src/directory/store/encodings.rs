//! Statements on all stored passwords: their encodings, and the key of the decoys.
//!
//! The key is stored as a row of `attempts` that is no attempt: a prefix and 32 random bytes, so it is longer than the
//! SHA-256 digests of attempts. It never expires, and is copied into backups and other databases.

use super::Tx;
use crate::database::DatabaseError;
use crate::database::Sql;
use crate::database::{FromRow, Row};
use crate::directory::error::Error;
use crate::directory::model::Timestamp;

const PREFIX: &[u8] = b"decoys:";
/// The first key after all those with the prefix.
const PREFIX_END: &[u8] = b"decoys;";

/// A stored password and the id of its user.
pub(in crate::directory) struct StoredPassword {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) password: String,
}

impl FromRow for StoredPassword {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next()?, password: row.next()? })
    }
}

/// The key that decoys are drawn with.
pub(in crate::directory) struct DecoyKey(pub(in crate::directory) [u8; 32]);

impl FromRow for DecoyKey {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        let key: Vec<u8> = row.next()?;
        let secret = key.strip_prefix(PREFIX).and_then(|secret| secret.try_into().ok());
        secret.map(Self).ok_or_else(|| DatabaseError::corrupt("key of decoys"))
    }
}

/// Reads the stored passwords of users after an id, in the order of their ids.
pub(in crate::directory) fn stored_after(id: i64, limit: i64) -> Sql {
    Sql::new("SELECT id, password FROM users WHERE id > $1 ORDER BY id LIMIT $2").bind(id).bind(limit)
}

/// Reads the key that decoys are drawn with, if there is one.
pub(in crate::directory) fn decoy_key() -> Sql {
    // There can be several only if the rows of two databases were merged by hand.
    Sql::new("SELECT key FROM attempts WHERE key >= $1 AND key < $2 ORDER BY key LIMIT 1")
        .bind(PREFIX.to_vec())
        .bind(PREFIX_END.to_vec())
}

impl Tx<'_> {
    /// Stores the key that decoys are drawn with, unless another process has stored one, and returns the stored one.
    pub(in crate::directory) fn keep_decoy_key(&self, new: &[u8; 32]) -> Result<DecoyKey, Error> {
        if let Some(kept) = self.first(&decoy_key())? {
            return Ok(kept);
        }
        self.count_failure(&[PREFIX, new.as_slice()].concat(), 0, Timestamp::EPOCH, Timestamp::LAST)?;
        Ok(DecoyKey(*new))
    }
}
