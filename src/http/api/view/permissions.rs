//! Permissions on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::access::{NeedsPermission, OWN_CODE_MIN, ReadUsers};
use crate::directory::model::Permission;
use crate::directory::permissions::PermissionDetails;

/// A permission.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(PermissionItem::sample()))]
pub struct PermissionItem {
    /// Unique ID of the permission, as in the field `permissions` of a body.
    pub id: i64,
    /// Its public number: +1 create, +2 read, +3 update, +4 delete.
    pub code: i64,
    /// Its name.
    pub name: String,
}

impl PermissionItem {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] = &["id", "code", "name"];

    /// Shows a permission in a list.
    pub fn new(permission: &Permission) -> Self {
        Self { id: permission.id.get(), code: permission.code, name: permission.name.clone() }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self { id: 6, code: ReadUsers::CODE, name: "user_read".into() }
    }
}

/// A permission, with the number of those who have it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(PermissionDetail::sample()))]
pub struct PermissionDetail {
    /// The permission.
    #[serde(flatten)]
    pub permission: PermissionItem,
    /// How many users it is attached to, without those who have it through a group.
    pub users_count: i64,
    /// How many groups it is attached to.
    pub groups_count: i64,
}

impl PermissionDetail {
    /// The names of the fields that follow those of lists.
    pub const COUNTS: &'static [&'static str] = &["users_count", "groups_count"];

    /// Shows a permission with its holders.
    pub fn new(PermissionDetails { permission, holders }: &PermissionDetails) -> Self {
        Self {
            permission: PermissionItem::new(permission),
            users_count: holders.users,
            groups_count: holders.groups,
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        let permission = PermissionItem { id: 15, code: OWN_CODE_MIN, name: "order_read".into() };
        Self { permission, users_count: 12, groups_count: 2 }
    }
}
