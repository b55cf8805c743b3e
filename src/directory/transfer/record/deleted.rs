//! The records of the recycle bin.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::model::Timestamp;
use crate::directory::model::stored::{StoredDeletedGroup, StoredDeletedUser};
use crate::directory::secret::prints_only;

prints_only!(DeletedRecord: id, username, deleted_at, deleted_by);
prints_only!(DeletedGroupRecord: id, name, deleted_at, deleted_by, members);

/// A user in the recycle bin.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletedRecord {
    /// The id it had.
    pub id: i64,
    /// The username it had.
    pub username: String,
    /// The address it had.
    pub email: Option<String>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Who deleted it: a username, or the operator's name.
    pub deleted_by: String,
    /// What a restore needs, in a form of this program's own.
    pub remains: Value,
}

/// A group in the recycle bin.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletedGroupRecord {
    /// The id it had.
    pub id: i64,
    /// The name it had.
    pub name: String,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Who deleted it: a username, or the operator's name.
    pub deleted_by: String,
    /// The ids of the users who belonged to it.
    pub members: Vec<i64>,
    /// What else a restore needs, in a form of this program's own.
    pub remains: Value,
}

impl From<DeletedRecord> for StoredDeletedUser {
    fn from(record: DeletedRecord) -> Self {
        Self {
            id: record.id,
            username: record.username,
            email: record.email,
            deleted_at: record.deleted_at,
            deleted_by: record.deleted_by,
            remains: record.remains.to_string(),
        }
    }
}

impl From<DeletedGroupRecord> for StoredDeletedGroup {
    fn from(record: DeletedGroupRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            deleted_at: record.deleted_at,
            deleted_by: record.deleted_by,
            remains: record.remains.to_string(),
            members: record.members,
        }
    }
}
