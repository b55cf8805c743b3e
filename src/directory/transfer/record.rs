//! The records that come in and go out: one thing of the directory each, as a line of JSON has it.
//!
//! A field that a record leaves out stays as it is in the directory, and takes its default in a new row; null and
//! empty text are values of their own. docs/records.md is the same for readers.

mod token;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::directory::model::stored::{WholeGroup, WholeUser};
use crate::directory::model::{Group, GroupId, Timestamp, User, UserId};
use crate::directory::secret::prints_only;

/// The version of the form, told in an export's first line.
pub const VERSION: u32 = 1;

/// One thing of the directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// What the lines after it are; only ever the first of all.
    Wardroom(Header),
    /// A permission.
    Permission(PermissionRecord),
    /// A group, before the users that belong to it.
    Group(GroupRecord),
    /// A user.
    User(UserRecord),
    /// A token, after its user.
    Token(TokenRecord),
    /// Somebody in the recycle bin.
    DeletedUser(DeletedRecord),
}

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// Of when the records are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_at: Option<Timestamp>,
    /// Whether personal data was left out.
    #[serde(default)]
    pub anonymised: bool,
}

/// A permission. The code says which one it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRecord {
    /// Its id; the next one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its number for clients; unique.
    pub code: i64,
    /// Its name, such as `user_read`; unique.
    pub name: String,
}

/// A group: an id says which one it is, or else the name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecord {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its name; unique.
    pub name: String,
    /// Free text; empty in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// When it was made; now in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The codes of its permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<i64>>,
}

/// A reference to something by its id or its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reference {
    /// By its id.
    Id(i64),
    /// By its name.
    Name(String),
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "with id {id}"),
            Self::Name(name) => write!(f, "named {name:?}"),
        }
    }
}

/// A value that can be null: left out is one thing, null another.
type Nullable<T> = Option<Option<T>>;

/// A user: an id says who it is, or else the username.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRecord {
    /// Its id; the next one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its username; unique.
    pub username: String,
    /// Unique when not empty.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub mobile_number: Nullable<String>,
    /// Unique when not empty.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub email: Nullable<String>,
    /// The name of its image below the media directory.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub avatar: Nullable<String>,
    /// Empty in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Empty in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Any text.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub gender: Nullable<String>,
    /// The groups it belongs to, by id or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Reference>>,
    /// Its last sign-in.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_login: Nullable<Timestamp>,
    /// When it was made; now in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When one of its tokens was last used.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Nullable<Timestamp>,
    /// True in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// False in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_staff: Option<bool>,
    /// False in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
    /// The codes of its own permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<i64>>,
    /// The hash in one of Django's encodings; `!` means no password, which a new row has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A token: its digest says which one it is.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Its id; the next one if left out or taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its owner, by id or username.
    pub user: Option<Reference>,
    /// What its owner calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its key in clear text, in place of the digest; never exported.
    #[serde(default, skip_serializing)]
    pub key: Option<String>,
    /// The SHA-256 or SHA-512 of its key, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `api`, `sign_in` or `imported`, which is taken if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The first characters of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The last four characters of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_four: Option<String>,
    /// When it was made; now in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it ends; never, in a new row.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub expires_at: Nullable<Timestamp>,
    /// When it was revoked. One that is revoked here stays so, whatever a record says.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Nullable<Timestamp>,
    /// When it was last used.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_used_at: Nullable<Timestamp>,
    /// From which address.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_used_from: Nullable<String>,
    /// What made it: `sign_in`, `token`, `operator`, `import` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// The digest of the first token of the sign-in that it came of.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub root: Nullable<String>,
}

prints_only!(UserRecord: id, username, permissions);
prints_only!(TokenRecord: user, name);
prints_only!(DeletedRecord: id, username, deleted_at, deleted_by);

/// Somebody in the recycle bin.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeletedRecord {
    /// The id it had.
    pub id: i64,
    /// The username it had.
    pub username: String,
    /// The address it had.
    pub email: Option<String>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// By whom.
    pub deleted_by: String,
    /// What a restore needs; a form of the program's own.
    pub remains: Value,
}

/// Tells a field that was given as null from one that was left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl UserRecord {
    /// Every text of it.
    pub(in crate::directory::transfer) fn texts(&self) -> impl Iterator<Item = &String> {
        let nullable = [&self.mobile_number, &self.email, &self.avatar, &self.gender];
        let plain =
            [Some(&self.username), self.first_name.as_ref(), self.last_name.as_ref(), self.password.as_ref()];
        nullable.into_iter().map(|text| text.as_ref().and_then(Option::as_ref)).chain(plain).flatten()
    }

    /// The row this record asks for, where `old` is.
    pub(in crate::directory::transfer) fn onto(
        &self,
        id: UserId,
        old: Option<&WholeUser>,
        groups: Option<Vec<GroupId>>,
        now: Timestamp,
    ) -> WholeUser {
        let kept = old.map(|old| &old.user);
        let text = |given: &Option<String>, kept: Option<&String>| {
            given.clone().or(kept.cloned()).unwrap_or_default()
        };
        let created_at = self.created_at.or(kept.map(|kept| kept.created_at)).unwrap_or(now);
        let user = User {
            id,
            username: self.username.clone(),
            mobile_number: nullable(&self.mobile_number, kept.map(|kept| &kept.mobile_number)),
            email: nullable(&self.email, kept.map(|kept| &kept.email)),
            avatar: nullable(&self.avatar, kept.map(|kept| &kept.avatar)),
            first_name: text(&self.first_name, kept.map(|kept| &kept.first_name)),
            last_name: text(&self.last_name, kept.map(|kept| &kept.last_name)),
            gender: nullable(&self.gender, kept.map(|kept| &kept.gender)),
            is_active: self.is_active.or(kept.map(|kept| kept.is_active)).unwrap_or(true),
            is_staff: self.is_staff.or(kept.map(|kept| kept.is_staff)).unwrap_or(false),
            is_admin: self.is_admin.or(kept.map(|kept| kept.is_admin)).unwrap_or(false),
            last_login: nullable(&self.last_login, kept.map(|kept| &kept.last_login)),
            last_seen_at: nullable(&self.last_seen_at, kept.map(|kept| &kept.last_seen_at)),
            created_at,
            updated_at: self.updated_at.or(kept.map(|kept| kept.updated_at)).unwrap_or(created_at),
            groups: groups.or(kept.map(|kept| kept.groups.clone())).unwrap_or_default(),
        };
        let permissions = sorted(self.permissions.clone().or(old.map(|old| old.permissions.clone())));
        let password = self.password.clone().or(old.map(|old| old.password.clone()));
        WholeUser { user, password: password.unwrap_or_else(|| "!".to_owned()), permissions }
    }
}

impl GroupRecord {
    /// The row this record asks for, where `old` is.
    pub(in crate::directory::transfer) fn onto(
        &self,
        id: GroupId,
        old: Option<&WholeGroup>,
        now: Timestamp,
    ) -> WholeGroup {
        let kept = old.map(|old| &old.group);
        let created_at = self.created_at.or(kept.map(|kept| kept.created_at)).unwrap_or(now);
        let group = Group {
            id,
            name: self.name.clone(),
            notes: self.notes.clone().or(kept.map(|kept| kept.notes.clone())).unwrap_or_default(),
            users_count: kept.map_or(0, |kept| kept.users_count),
            created_at,
            updated_at: self.updated_at.or(kept.map(|kept| kept.updated_at)).unwrap_or(created_at),
        };
        WholeGroup {
            group,
            permissions: sorted(self.permissions.clone().or(old.map(|old| old.permissions.clone()))),
        }
    }
}

fn nullable<T: Clone>(given: &Nullable<T>, kept: Option<&Option<T>>) -> Option<T> {
    given.clone().or(kept.cloned()).unwrap_or_default()
}

fn sorted(codes: Option<Vec<i64>>) -> Vec<i64> {
    let mut codes = codes.unwrap_or_default();
    codes.sort_unstable();
    codes.dedup();
    codes
}
