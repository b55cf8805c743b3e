//! The recycle bin on the wire.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::model::{DeletedGroup, DeletedUser};

/// A user in the recycle bin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(DeletedItem::sample()))]
pub struct DeletedItem {
    /// ID of the user, which it keeps when it is restored.
    pub id: i64,
    /// Username of the user, which another user may have taken meanwhile.
    pub username: String,
    /// Email address of the user; null when none.
    #[schema(required)]
    pub email: Option<String>,
    /// When it was deleted, UTC, always six digits.
    #[schema(format = DateTime)]
    pub deleted_at: String,
    /// Who deleted it: a username, or the name of an operator at the command line.
    pub deleted_by: String,
    /// When it will be purged, UTC, always six digits.
    #[schema(format = DateTime)]
    pub purge_at: String,
}

impl DeletedItem {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] =
        &["id", "username", "email", "deleted_at", "deleted_by", "purge_at"];

    /// Shows a deleted user, who is kept for so long.
    pub fn new(user: &DeletedUser, kept_for: Duration) -> Self {
        Self {
            id: user.id.get(),
            username: user.username.clone(),
            email: user.email.clone(),
            deleted_at: user.deleted_at.to_string(),
            deleted_by: user.deleted_by.clone(),
            purge_at: user.purge_at(kept_for).to_string(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            id: 17,
            username: "sam_lee".into(),
            email: Some("sam.lee@techcorp.com".into()),
            deleted_at: "2025-09-01T12:00:00.000000Z".into(),
            deleted_by: "alex_thompson".into(),
            purge_at: "2025-10-01T12:00:00.000000Z".into(),
        }
    }
}

/// A group in the recycle bin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(DeletedGroupItem::sample()))]
pub struct DeletedGroupItem {
    /// ID of the group, which it keeps when it is restored.
    pub id: i64,
    /// Name of the group, which another group may have taken meanwhile.
    pub name: String,
    /// Number of users who belonged to it, and who are not removed permanently.
    pub users_count: i64,
    /// When it was deleted, UTC, always six digits.
    #[schema(format = DateTime)]
    pub deleted_at: String,
    /// Who deleted it: a username, or the name of an operator at the command line.
    pub deleted_by: String,
    /// When it will be purged, UTC, always six digits.
    #[schema(format = DateTime)]
    pub purge_at: String,
}

impl DeletedGroupItem {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] =
        &["id", "name", "users_count", "deleted_at", "deleted_by", "purge_at"];

    /// Shows a deleted group, which is kept for so long.
    pub fn new(group: &DeletedGroup, kept_for: Duration) -> Self {
        Self {
            id: group.id.get(),
            name: group.name.clone(),
            users_count: group.users_count,
            deleted_at: group.deleted_at.to_string(),
            deleted_by: group.deleted_by.clone(),
            purge_at: group.purge_at(kept_for).to_string(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            id: 9,
            name: "Summer interns".into(),
            users_count: 12,
            deleted_at: "2025-09-01T12:00:00.000000Z".into(),
            deleted_by: "alex_thompson".into(),
            purge_at: "2025-10-01T12:00:00.000000Z".into(),
        }
    }
}
