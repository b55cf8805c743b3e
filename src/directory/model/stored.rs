//! Rows with every column, as imports write them and exports read them.

use super::{Group, KeptDigest, Timestamp, Token, User};
use crate::directory::secret::prints_only;

prints_only!(StoredUser: user, permissions);

/// A user with everything that is stored about it.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::directory) struct StoredUser {
    pub(in crate::directory) user: User,
    /// The encoded hash.
    pub(in crate::directory) password: String,
    /// The codes of the permissions attached to it, ascending.
    pub(in crate::directory) permissions: Vec<i64>,
}

/// A group with its permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct StoredGroup {
    pub(in crate::directory) group: Group,
    /// Codes, ascending.
    pub(in crate::directory) permissions: Vec<i64>,
}

/// A token with everything that is stored about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct StoredToken {
    pub(in crate::directory) token: Token,
    pub(in crate::directory) digest: KeptDigest,
    pub(in crate::directory) last_used_from: Option<String>,
    /// The end that it got here. No import moves its expiry beyond it.
    pub(in crate::directory) ends_by: Option<Timestamp>,
}

/// A token that ended here and has no row any more. At least one of the times is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct StoredEndedToken {
    pub(in crate::directory) digest: KeptDigest,
    pub(in crate::directory) revoked_at: Option<Timestamp>,
    /// As in [`StoredToken`].
    pub(in crate::directory) ends_by: Option<Timestamp>,
}

/// A user in the recycle bin, with what a restore needs as text.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::directory) struct StoredDeletedUser {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) username: String,
    pub(in crate::directory) email: Option<String>,
    pub(in crate::directory) deleted_at: Timestamp,
    pub(in crate::directory) deleted_by: String,
    pub(in crate::directory) remains: String,
}

prints_only!(StoredDeletedUser: id, username, deleted_at, deleted_by);

/// A group in the recycle bin, with the ids of its members and what else a restore needs as text.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::directory) struct StoredDeletedGroup {
    pub(in crate::directory) id: i64,
    pub(in crate::directory) name: String,
    pub(in crate::directory) deleted_at: Timestamp,
    pub(in crate::directory) deleted_by: String,
    pub(in crate::directory) remains: String,
    /// Ascending. Some may be in the recycle bin, or gone.
    pub(in crate::directory) members: Vec<i64>,
}

prints_only!(StoredDeletedGroup: id, name, deleted_at, deleted_by, members);
