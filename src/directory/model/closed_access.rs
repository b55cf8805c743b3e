//! What a restore reports about access: what was closed since the backup, and what the backup grants.
//!
//! Access is a token, an active user, a password, a permission or a membership. It is closed when it is revoked,
//! deactivated, changed or removed.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::Timestamp;

/// Access that the backup grants and that was closed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedAccess {
    /// How it was closed.
    pub kind: ClosureKind,
    /// The user, or the owner of the token.
    pub user: Option<NamedId>,
    /// The group.
    pub group: Option<NamedId>,
    /// The token.
    pub token: Option<NamedId>,
    /// The permission, by its code.
    pub permission: Option<NamedId>,
    /// For a token: when it was revoked, or when it ends.
    pub at: Option<Timestamp>,
    /// For a user: the number of other tokens of theirs that are valid in the backup.
    pub tokens: u64,
}

/// The id and the name of an object, as they are in the backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedId {
    /// The id, or the code of a permission.
    pub id: i64,
    /// The name.
    pub name: String,
}

/// How access was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClosureKind {
    /// A user was deleted. They may be in the recycle bin.
    UserDeleted,
    /// A deleted user was permanently removed from the recycle bin.
    DeletedUserPurged,
    /// A user was deactivated.
    UserDeactivated,
    /// A user is no longer an admin.
    AdminRemoved,
    /// A user is no longer staff.
    StaffRemoved,
    /// A user has another password, or none.
    PasswordChanged,
    /// A token was revoked.
    TokenRevoked,
    /// A token's expiry was moved to an earlier time, as a rotation with an overlap does.
    TokenEnded,
    /// A token was narrowed: to fewer scopes, to reading, or to fewer networks.
    TokenNarrowed,
    /// A token was deleted.
    TokenDeleted,
    /// A token now belongs to another user.
    TokenMoved,
    /// A permission was removed from a user.
    PermissionRemoved,
    /// A user was removed from a group.
    MembershipRemoved,
    /// A permission was removed from a group.
    GroupPermissionRemoved,
    /// A group was deleted. It may be in the recycle bin.
    GroupDeleted,
    /// A deleted group was permanently removed from the recycle bin.
    DeletedGroupPurged,
}

impl ClosureKind {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Self; 16] = [
        Self::UserDeleted,
        Self::DeletedUserPurged,
        Self::UserDeactivated,
        Self::AdminRemoved,
        Self::StaffRemoved,
        Self::PasswordChanged,
        Self::TokenRevoked,
        Self::TokenEnded,
        Self::TokenNarrowed,
        Self::TokenDeleted,
        Self::TokenMoved,
        Self::PermissionRemoved,
        Self::MembershipRemoved,
        Self::GroupPermissionRemoved,
        Self::GroupDeleted,
        Self::DeletedGroupPurged,
    ];

    /// Returns the name in JSON and in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserDeleted => "user_deleted",
            Self::DeletedUserPurged => "deleted_user_purged",
            Self::UserDeactivated => "user_deactivated",
            Self::AdminRemoved => "admin_removed",
            Self::StaffRemoved => "staff_removed",
            Self::PasswordChanged => "password_changed",
            Self::TokenRevoked => "token_revoked",
            Self::TokenEnded => "token_ended",
            Self::TokenNarrowed => "token_narrowed",
            Self::TokenDeleted => "token_deleted",
            Self::TokenMoved => "token_moved",
            Self::PermissionRemoved => "permission_removed",
            Self::MembershipRemoved => "membership_removed",
            Self::GroupPermissionRemoved => "group_permission_removed",
            Self::GroupDeleted => "group_deleted",
            Self::DeletedGroupPurged => "deleted_group_purged",
        }
    }
}

impl ClosedAccess {
    pub(in crate::directory) fn new(kind: ClosureKind) -> Self {
        Self { kind, user: None, group: None, token: None, permission: None, at: None, tokens: 0 }
    }

    /// Returns the sort key of the lists.
    pub(in crate::directory) fn order(&self) -> (ClosureKind, i64, i64, i64) {
        let id = |named: &Option<NamedId>| named.as_ref().map_or(0, |named| named.id);
        let of = id(&self.token).max(id(&self.permission));
        (self.kind, id(&self.user), id(&self.group), of)
    }

    /// Renders it as JSON, without the fields that do not apply.
    pub fn json(&self) -> Value {
        let mut fields = serde_json::Map::new();
        fields.insert("what".to_owned(), self.kind.as_str().into());
        for (name, named) in [("user", &self.user), ("group", &self.group), ("token", &self.token)] {
            if let Some(NamedId { id, name: of }) = named {
                fields.insert(name.to_owned(), json!({ "id": id, "name": of }));
            }
        }
        if let Some(NamedId { id, name }) = &self.permission {
            fields.insert("permission".to_owned(), json!({ "code": id, "name": name }));
        }
        if let Some(at) = self.at {
            fields.insert("at".to_owned(), at.to_string().into());
        }
        if matches!(self.kind, ClosureKind::UserDeleted | ClosureKind::UserDeactivated) {
            fields.insert("active_tokens".to_owned(), self.tokens.into());
        }
        fields.into()
    }
}

/// How much is known of what was closed since a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComparisonExtent {
    /// Everything: the audit trail of the present database continues the backup's.
    Complete,
    /// Only changes to tokens that are in both databases: the present audit trail does not continue the backup's.
    Partial,
    /// Nothing, for this reason.
    Impossible(NotCompared),
}

/// Why nothing could be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCompared {
    /// The reason.
    pub why: String,
    /// Whether the reason names what to do about it, such as another mode of the file. Then the same database can be
    /// compared afterwards.
    pub has_remedy: bool,
}

impl NotCompared {
    /// A reason that does not pass.
    pub fn lasting(why: impl ToString) -> Self {
        Self { why: why.to_string(), has_remedy: false }
    }
}

impl ComparisonExtent {
    /// Returns the name in JSON and in the audit trail.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Impossible(_) => "none",
        }
    }

    /// Returns why it is not complete.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Complete => None,
            Self::Partial => Some("the present audit trail does not continue the backup's"),
            Self::Impossible(reason) => Some(&reason.why),
        }
    }
}

/// The access that a backup grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedAccess {
    /// The age of the backup; `None` if its time is in the future.
    pub age: Option<Duration>,
    /// The number of active users.
    pub users: u64,
    /// All active admins.
    pub admins: Vec<NamedId>,
    /// All tokens of active users that are neither revoked nor expired.
    pub tokens: Vec<GrantedToken>,
}

/// A token that is valid in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedToken {
    /// The token.
    pub token: NamedId,
    /// Its owner.
    pub user: NamedId,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

impl GrantedAccess {
    /// Renders it as JSON.
    pub fn json(&self) -> Value {
        let named = |named: &NamedId| json!({ "id": named.id, "name": named.name });
        let tokens = self.tokens.iter().map(|granted| {
            json!({
                "id": granted.token.id,
                "name": granted.token.name,
                "user": named(&granted.user),
                "expires_at": granted.expires_at.map(|end| end.to_string()),
            })
        });
        json!({
            "age_seconds": self.age.map(|age| age.as_secs()),
            "active_users": self.users,
            "active_admins": self.admins.iter().map(named).collect::<Vec<_>>(),
            "active_tokens": tokens.collect::<Vec<_>>(),
        })
    }
}

/// Why a restore was refused: access would be reopened, or it is not known whether any would.
#[derive(Clone, Debug)]
pub struct ReopenedAccess {
    /// When the backup was made.
    pub created_at: String,
    /// How much is known of what was closed since.
    pub comparison: ComparisonExtent,
    /// What would be reopened; empty if the request says what to do with it.
    pub closed: Vec<ClosedAccess>,
    /// What the backup grants, where the comparison is not complete and the request does not accept that.
    pub brings: Option<GrantedAccess>,
}

impl fmt::Display for ReopenedAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.closed.is_empty() {
            let count = self.closed.len();
            write!(
                f,
                "access that was closed since the backup of {} would be open again ({count} in all): ",
                self.created_at
            )?;
        }
        if self.brings.is_some() {
            let why = self.comparison.why().unwrap_or_default();
            let created_at = &self.created_at;
            write!(f, "it is not known what was closed since the backup of {created_at} ({why}): ")?;
        }
        f.write_str("nothing was changed")
    }
}
