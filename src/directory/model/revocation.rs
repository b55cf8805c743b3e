//! What lets people in, as a restore tells of it: what was closed since a backup, and what a backup brings.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::Timestamp;

/// Something that the backup holds open and that was closed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What happened to it.
    pub what: Closing,
    /// Whose it is.
    pub user: Option<Named>,
    /// The group.
    pub group: Option<Named>,
    /// The token.
    pub token: Option<Named>,
    /// The permission, by its code.
    pub permission: Option<Named>,
    /// When: of a token, the moment that it was revoked, or that it ends.
    pub at: Option<Timestamp>,
    /// How many other tokens of this user the backup holds as good.
    pub tokens: u64,
}

/// The id and the name of something, as the backup has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The id; of a permission, the code.
    pub id: i64,
    /// The name.
    pub name: String,
}

/// How something was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closing {
    /// A user was deleted, and may be in the recycle bin.
    UserDeleted,
    /// Somebody in the recycle bin was removed for good.
    DeletedUserPurged,
    /// A user was deactivated.
    UserDeactivated,
    /// A user is no admin any more.
    AdminRemoved,
    /// A user is no staff any more.
    StaffRemoved,
    /// A user has another password, or none.
    PasswordChanged,
    /// A token was revoked.
    TokenRevoked,
    /// A token's end was moved to an earlier time, as a rotation with an overlap does.
    TokenEnded,
    /// A token is not there any more.
    TokenDeleted,
    /// A token acts as somebody else.
    TokenMoved,
    /// A permission was taken from a user.
    PermissionRemoved,
    /// A user was taken out of a group.
    MembershipRemoved,
    /// A permission was taken from a group.
    GroupPermissionRemoved,
    /// A group was deleted.
    GroupDeleted,
}

impl Closing {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::UserDeleted,
        Self::DeletedUserPurged,
        Self::UserDeactivated,
        Self::AdminRemoved,
        Self::StaffRemoved,
        Self::PasswordChanged,
        Self::TokenRevoked,
        Self::TokenEnded,
        Self::TokenDeleted,
        Self::TokenMoved,
        Self::PermissionRemoved,
        Self::MembershipRemoved,
        Self::GroupPermissionRemoved,
        Self::GroupDeleted,
    ];

    /// Its name in JSON and in the audit trail.
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
            Self::TokenDeleted => "token_deleted",
            Self::TokenMoved => "token_moved",
            Self::PermissionRemoved => "permission_removed",
            Self::MembershipRemoved => "membership_removed",
            Self::GroupPermissionRemoved => "group_permission_removed",
            Self::GroupDeleted => "group_deleted",
        }
    }
}

impl Closed {
    pub(in crate::directory) fn new(what: Closing) -> Self {
        Self { what, user: None, group: None, token: None, permission: None, at: None, tokens: 0 }
    }

    /// In the order in which it is listed.
    pub(in crate::directory) fn order(&self) -> (Closing, i64, i64, i64) {
        let id = |named: &Option<Named>| named.as_ref().map_or(0, |named| named.id);
        let of = id(&self.token).max(id(&self.permission));
        (self.what, id(&self.user), id(&self.group), of)
    }

    /// The same as JSON; what does not belong to it is left out.
    pub fn json(&self) -> Value {
        let mut told = serde_json::Map::new();
        told.insert("what".to_owned(), self.what.as_str().into());
        for (name, named) in [("user", &self.user), ("group", &self.group), ("token", &self.token)] {
            if let Some(Named { id, name: of }) = named {
                told.insert(name.to_owned(), json!({ "id": id, "name": of }));
            }
        }
        if let Some(Named { id, name }) = &self.permission {
            told.insert("permission".to_owned(), json!({ "code": id, "name": name }));
        }
        if let Some(at) = self.at {
            told.insert("at".to_owned(), at.to_string().into());
        }
        if matches!(self.what, Closing::UserDeleted | Closing::UserDeactivated) {
            told.insert("active_tokens".to_owned(), self.tokens.into());
        }
        told.into()
    }
}

/// How much of what was closed since a backup is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// All of it: the directory that was there has grown out of the backup.
    Complete,
    /// Only what became of tokens that are still there: its audit trail does not go on where the backup's ends.
    Partial,
    /// Nothing, for this reason.
    Impossible(String),
}

impl Comparison {
    /// Its name in JSON and in the audit trail.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Impossible(_) => "none",
        }
    }

    /// Why it is not complete.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Complete => None,
            Self::Partial => Some("the audit trail that was there does not go on where the backup's ends"),
            Self::Impossible(why) => Some(why),
        }
    }
}

/// Who and what can come in by what a backup brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brings {
    /// How old the backup is; nothing when it says that it was made later than now.
    pub age: Option<Duration>,
    /// How many users are active.
    pub users: u64,
    /// Every active admin.
    pub admins: Vec<Named>,
    /// Every token that is neither revoked nor past its end, of an active user.
    pub tokens: Vec<Brought>,
}

/// A token that a backup brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The token.
    pub token: Named,
    /// Whose it is.
    pub user: Named,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl Brings {
    /// The same as JSON.
    pub fn json(&self) -> Value {
        let named = |named: &Named| json!({ "id": named.id, "name": named.name });
        let tokens = self.tokens.iter().map(|brought| {
            json!({
                "id": brought.token.id,
                "name": brought.token.name,
                "user": named(&brought.user),
                "expires_at": brought.expires_at.map(|end| end.to_string()),
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

/// Why nothing was restored: something would open again, or nobody can tell what would.
#[derive(Clone, Debug)]
pub struct Reopened {
    /// When the backup was made.
    pub created_at: String,
    /// How much of what was closed since is known.
    pub comparison: Comparison,
    /// What was closed since and would be open again; nothing where that was decided.
    pub closed: Vec<Closed>,
    /// Who and what the backup brings, where that was not accepted.
    pub brings: Option<Brings>,
}

impl fmt::Display for Reopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.closed.is_empty() {
            let count = self.closed.len();
            write!(
                f,
                "what was closed since the backup of {} would open again ({count} in all): ",
                self.created_at
            )?;
        }
        if self.brings.is_some() {
            let why = self.comparison.why().unwrap_or_default();
            let created_at = &self.created_at;
            write!(f, "what was closed since the backup of {created_at} cannot be told ({why}): ")?;
        }
        f.write_str("nothing was changed")
    }
}
