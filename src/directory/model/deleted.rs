//! Users and groups in the recycle bin.

use std::time::Duration;

use super::{Group, GroupId, PermissionId, Timestamp, User, UserId};

/// A user in the recycle bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedUser {
    /// Its id, which a restore keeps.
    pub id: UserId,
    /// Its username, which another user may have by now.
    pub username: String,
    /// Its email address.
    pub email: Option<String>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Who deleted it: a username, or the operator's name.
    pub deleted_by: String,
}

impl DeletedUser {
    /// Returns when the user will be purged.
    pub fn purge_at(&self, kept_for: Duration) -> Timestamp {
        self.deleted_at.plus(kept_for).unwrap_or(Timestamp::LAST)
    }
}

/// Everything that is needed to restore a deleted user.
pub(in crate::directory) struct RestorableUser {
    pub(in crate::directory) user: User,
    /// The encoded hash.
    pub(in crate::directory) password: String,
    /// The permissions that were attached to the user. Some may no longer exist.
    pub(in crate::directory) permissions: Vec<PermissionId>,
    /// Whether the user was created here, and not written by an import since.
    pub(in crate::directory) made_here: bool,
}

/// A group in the recycle bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedGroup {
    /// Its id, which a restore keeps.
    pub id: GroupId,
    /// Its name, which another group may have by now.
    pub name: String,
    /// The number of its members, except those who were removed permanently since.
    pub users_count: i64,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Who deleted it: a username, or the operator's name.
    pub deleted_by: String,
}

impl DeletedGroup {
    /// Returns when the group will be purged.
    pub fn purge_at(&self, kept_for: Duration) -> Timestamp {
        self.deleted_at.plus(kept_for).unwrap_or(Timestamp::LAST)
    }
}

/// What is needed to restore a deleted group, without its members.
pub(in crate::directory) struct RestorableGroup {
    /// Its count of members is not known.
    pub(in crate::directory) group: Group,
    /// The codes of its permissions. Some may no longer exist.
    pub(in crate::directory) permissions: Vec<i64>,
    /// Whether the group was created here, and not written by an import since.
    pub(in crate::directory) made_here: bool,
}
