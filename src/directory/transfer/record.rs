//! The records of imports and exports. Each describes one permission, group, user or token, and is one line of JSON.
//!
//! A field that a record leaves out keeps its value in an existing row, and gets its default in a new one. Null and empty
//! text are values of their own. docs/records.md documents the form for users.

mod deleted;
mod token;

use serde::{Deserialize, Deserializer, Serialize};

pub use self::deleted::{DeletedGroupRecord, DeletedRecord};
use crate::directory::error::Error;
use crate::directory::model::stored::{StoredGroup, StoredUser};
use crate::directory::model::{
    FieldSlot, FieldType, FieldValue, Group, GroupId, Timestamp, User, UserId, Violation, user_fields,
};
use crate::directory::secret::prints_only;

/// The version of the form. The first line of an export states it.
pub const VERSION: u32 = 1;

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// Describes the other records. It is always the first one.
    Wardroom(Header),
    /// A permission.
    Permission(PermissionRecord),
    /// A group, before the users that belong to it.
    Group(GroupRecord),
    /// A user.
    User(UserRecord),
    /// A token, after its user.
    Token(TokenRecord),
    /// A user in the recycle bin.
    DeletedUser(DeletedRecord),
    /// A group in the recycle bin.
    DeletedGroup(DeletedGroupRecord),
    /// A token that ended and has no record any more.
    EndedToken(EndedTokenRecord),
}

/// The first line of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// When the records were exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_at: Option<Timestamp>,
    /// Whether personal data was left out.
    #[serde(default)]
    pub anonymised: bool,
}

/// A permission. Its code identifies it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PermissionRecord {
    /// Its id; the next free one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its number for clients; unique.
    pub code: i64,
    /// Its name, such as `user_read`; unique.
    pub name: String,
}

/// A group. Its id identifies it, or else its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRecord {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its name; unique.
    pub name: String,
    /// Free text; empty in a new row, which differs from null.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub notes: Nullable<String>,
    /// When it was created; now in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The codes of its permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<i64>>,
}

/// A reference to a user or group by id or name.
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

/// A value that can be left out (the outer `None`) or null (the inner one).
type Nullable<T> = Option<Option<T>>;

/// Defines [`UserRecord`] from the list of fields.
macro_rules! user_record {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        /// A user. Its id identifies it, or else its username. In a new row, a field that is left out has the default of
        /// the list of fields.
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct UserRecord {
            /// Its id; the next free one if left out.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub id: Option<i64>,
            /// Its username; unique.
            pub username: String,
            $(
                $(#[$doc])*
                #[serde(default, deserialize_with = "given_field", skip_serializing_if = "Option::is_none")]
                pub $name: Option<$stored>,
            )+
            /// The groups it belongs to, by id or name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub groups: Option<Vec<Reference>>,
            /// Its last sign-in.
            #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
            pub last_login: Nullable<Timestamp>,
            /// When it was created; now in a new row.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub created_at: Option<Timestamp>,
            /// When it was last changed.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub updated_at: Option<Timestamp>,
            /// When one of its tokens was last used.
            #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
            pub last_seen_at: Nullable<Timestamp>,
            $(
                $(#[$flag_doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $flag: Option<bool>,
            )+
            /// The codes of its own permissions.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub permissions: Option<Vec<i64>>,
            /// The hash in one of Django's encodings; `!` means no password, which a new row has.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub password: Option<String>,
        }

        impl UserRecord {
            /// Iterates over the personal fields: their names, and their values if they are given.
            pub fn personal(&self) -> impl Iterator<Item = (&'static str, FieldValue<'_>)> {
                [$((stringify!($name), value(&self.$name)),)+].into_iter()
            }

            /// Iterates over the flags: their names, and their values if they are given.
            pub fn flags(&self) -> impl Iterator<Item = (&'static str, FieldValue<'_>)> {
                [$((stringify!($flag), value(&self.$flag)),)+].into_iter()
            }

            /// Iterates over the personal fields: their names and places.
            pub fn personal_slots(&mut self) -> impl Iterator<Item = (&'static str, FieldSlot<'_>)> {
                [$((stringify!($name), FieldType::slot(&mut self.$name)),)+].into_iter()
            }

            /// Returns the place for a personal field or a flag.
            pub fn slot(&mut self, field: &str) -> Option<FieldSlot<'_>> {
                $(if field == stringify!($name) { return Some(FieldType::slot(&mut self.$name)); })+
                $(if field == stringify!($flag) { return Some(FieldType::slot(&mut self.$flag)); })+
                None
            }

            /// Writes the personal fields and flags that are given to a user.
            fn write_to(&self, user: &mut User) {
                $(if let Some(given) = &self.$name { user.$name.clone_from(given); })+
                $(user.$flag = self.$flag.unwrap_or(user.$flag);)+
            }
        }

        impl From<StoredUser> for UserRecord {
            fn from(StoredUser { user, password, permissions }: StoredUser) -> Self {
                Self {
                    id: Some(user.id.get()),
                    username: user.username,
                    $($name: Some(user.$name),)+
                    groups: Some(user.groups.iter().map(|group| Reference::Id(group.get())).collect()),
                    last_login: Some(user.last_login),
                    created_at: Some(user.created_at),
                    updated_at: Some(user.updated_at),
                    last_seen_at: Some(user.last_seen_at),
                    $($flag: Some(user.$flag),)+
                    permissions: Some(permissions),
                    password: Some(password),
                }
            }
        }
    };
}
user_fields!(user_record);

fn value<T: FieldType>(given: &Option<T>) -> FieldValue<'_> {
    given.as_ref().map_or(FieldValue::Null, T::value)
}

/// A token. Its digest identifies it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Its id; the next free one if left out or taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Its owner, by id or username.
    pub user: Option<Reference>,
    /// The name that its owner gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its key in clear text, in place of the digest; never exported.
    #[serde(default, skip_serializing)]
    pub key: Option<String>,
    /// The SHA-256 or SHA-512 of its key, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `api`, `sign_in` or `imported`; `imported` in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The first characters of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The last four characters of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_four: Option<String>,
    /// When it was created; now in a new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it expires; never in a new row.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub expires_at: Nullable<Timestamp>,
    /// When it was revoked. A token that was revoked here stays revoked.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Nullable<Timestamp>,
    /// When it was last used.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_used_at: Nullable<Timestamp>,
    /// The address from which it was last used.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub last_used_from: Nullable<String>,
    /// What issued it: `sign_in`, `token`, `operator`, `import` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// The digest of the first token of the sign-in that it descends from.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub root: Nullable<String>,
    /// The expiry that it got where it was changed. No import moves its expiry beyond it.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub ends_by: Nullable<Timestamp>,
    /// What its owner may do with it: names such as `me_read` and `user_read`. Null is everything. An import takes scopes away
    /// and gives none back.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub scopes: Nullable<Vec<String>>,
    /// Whether it can only read. No import lets it write again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// The networks that it may be used from. Null is anywhere. An import only makes them narrower.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub allowed_networks: Nullable<Vec<String>>,
}

prints_only!(UserRecord: id, username, permissions);
prints_only!(TokenRecord: user, name);
prints_only!(EndedTokenRecord: revoked_at, ends_by);

/// A token that was revoked, or whose expiry was changed, and that is gone with its user. No import makes it valid again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedTokenRecord {
    /// The SHA-256 or SHA-512 of its key, in hexadecimal digits.
    pub digest: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// The expiry that it got where it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_by: Option<Timestamp>,
}

/// Reads a field that was given, so that null differs from a field that was left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a field of the list that was given. Null leaves a field out that cannot be null.
fn given_field<'de, T: RecordField, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::given(deserializer)
}

/// The type of a field in a record.
trait RecordField: Sized {
    fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error>;
}

impl RecordField for String {
    fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Option::deserialize(deserializer)
    }
}

impl RecordField for Option<String> {
    fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        given(deserializer)
    }
}

/// Converts an id that the validation has accepted, or that comes from the account database.
pub(in crate::directory::transfer) fn id_of<T: TryFrom<i64, Error = Violation>>(id: i64) -> Result<T, Error> {
    T::try_from(id).map_err(|rule| Error::invalid("id", &rule))
}

impl UserRecord {
    /// Iterates over every text of the record.
    pub(in crate::directory::transfer) fn texts(&self) -> impl Iterator<Item = &str> {
        let personal = self.personal().filter_map(|(_, value)| value.text());
        personal.chain([self.username.as_str()]).chain(self.password.as_deref())
    }

    /// Returns the row that the record describes, where `old` is the present one.
    pub(in crate::directory::transfer) fn to_row(
        &self,
        id: UserId,
        old: Option<&StoredUser>,
        groups: Option<Vec<GroupId>>,
        now: Timestamp,
    ) -> StoredUser {
        let created_at = self.created_at.or(old.map(|old| old.user.created_at)).unwrap_or(now);
        let mut user = old.map_or_else(|| User::new(String::new(), created_at), |old| old.user.clone());
        user.id = id;
        user.username.clone_from(&self.username);
        self.write_to(&mut user);
        user.last_login = self.last_login.unwrap_or(user.last_login);
        user.last_seen_at = self.last_seen_at.unwrap_or(user.last_seen_at);
        user.created_at = created_at;
        user.updated_at = self.updated_at.unwrap_or(user.updated_at);
        user.groups = groups.unwrap_or(user.groups);
        let permissions = sorted(self.permissions.clone().or(old.map(|old| old.permissions.clone())));
        let password = self.password.clone().or(old.map(|old| old.password.clone()));
        StoredUser { user, password: password.unwrap_or_else(|| "!".to_owned()), permissions }
    }
}

impl GroupRecord {
    /// Iterates over every text of the record.
    pub(in crate::directory::transfer) fn texts(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.name).chain(self.notes.iter().flatten())
    }

    /// Returns the row that the record describes, where `old` is the present one.
    pub(in crate::directory::transfer) fn to_row(
        &self,
        id: GroupId,
        old: Option<&StoredGroup>,
        now: Timestamp,
    ) -> StoredGroup {
        let kept = old.map(|old| &old.group);
        let created_at = self.created_at.or(kept.map(|kept| kept.created_at)).unwrap_or(now);
        let group = Group {
            id,
            name: self.name.clone(),
            notes: match (&self.notes, kept) {
                (Some(given), _) => given.clone(),
                (None, Some(kept)) => kept.notes.clone(),
                (None, None) => Some(String::new()),
            },
            users_count: kept.map_or(0, |kept| kept.users_count),
            created_at,
            updated_at: self.updated_at.or(kept.map(|kept| kept.updated_at)).unwrap_or(created_at),
        };
        StoredGroup {
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
