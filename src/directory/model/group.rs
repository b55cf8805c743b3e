//! A group of users.

use super::{GroupId, Timestamp};

/// A group as stored, with the size of its membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Unique, never used again after a deletion.
    pub id: GroupId,
    /// Unique, compared exactly.
    pub name: String,
    /// Free text; may be empty, which differs from null.
    pub notes: Option<String>,
    /// How many users belong to it.
    pub users_count: i64,
    /// When the group was created.
    pub created_at: Timestamp,
    /// When name or notes were last changed.
    pub updated_at: Timestamp,
}
