//! Rows with every column, as an import writes them and an export reads them.

use super::{Group, KeptDigest, Timestamp, Token, User};
use crate::directory::secret::prints_only;

prints_only!(WholeUser: user, permissions);

/// A user with all that is kept of it.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::directory) struct WholeUser {
    pub(in crate::directory) user: User,
    /// The encoded hash.
    pub(in crate::directory) password: String,
    /// The codes of its own permissions, ascending.
    pub(in crate::directory) permissions: Vec<i64>,
}

/// A group with its permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct WholeGroup {
    pub(in crate::directory) group: Group,
    /// Codes, ascending.
    pub(in crate::directory) permissions: Vec<i64>,
}

/// A token with all that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct WholeToken {
    pub(in crate::directory) token: Token,
    pub(in crate::directory) digest: KeptDigest,
    pub(in crate::directory) last_used_from: Option<String>,
}

/// Somebody in the recycle bin, with the text of what a restore needs.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::directory) struct WholeDeleted {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) username: String,
    pub(in crate::directory) email: Option<String>,
    pub(in crate::directory) deleted_at: Timestamp,
    pub(in crate::directory) deleted_by: String,
    pub(in crate::directory) remains: String,
}

prints_only!(WholeDeleted: id, username, deleted_at, deleted_by);
