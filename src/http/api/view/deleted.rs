//! The recycle bin on the wire.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::model::DeletedUser;

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
