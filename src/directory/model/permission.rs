//! A right that can be given to a user or to a group.

use super::{GroupId, PermissionId};

/// A permission. The built-in ones are part of the schema; operators and imports may add others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The id that `permissions: [ids]` on the wire refers to.
    pub id: PermissionId,
    /// The public number.
    pub code: i64,
    /// The public name, such as `user_read`.
    pub name: String,
}

/// A permission that a user holds, and one reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPermission {
    /// The permission.
    pub permission: Permission,
    /// The group that gives it; `None` if it is attached to the user.
    pub group: Option<GroupId>,
}
