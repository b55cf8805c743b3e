//! Statements about users.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::numbered::Numbered;
use super::permissions;
use crate::database::{DatabaseError, Dialect, FirstRead, FromRow, Row, Sql, Subject, Tx, Value};
use crate::directory::error::Error;
use crate::directory::model::{
    FieldValue, GroupId, PermissionId, Timestamp, User, UserId, UserKey, UserState, fold, user_fields,
};
use crate::directory::secret::prints_only;

/// The columns of a [`User`], in the order in which [`FromRow`] reads them; `u` is the users table.
macro_rules! columns {
    () => {
        $crate::directory::model::user_fields!($crate::directory::store::users::column_names)
    };
}
pub(super) use columns;

/// Names the columns of the list of fields, and those that every user has.
macro_rules! column_names {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        concat!(
            "u.id, u.username, ",
            $("u.", stringify!($name), ", ",)+
            $("u.", stringify!($flag), ", ",)+
            "u.last_login, u.last_seen_at, u.created_at, u.updated_at, \
             (SELECT string_agg(CAST(m.group_id AS TEXT), ',') FROM memberships m WHERE m.user_id = u.id)"
        )
    };
}
pub(super) use column_names;

/// The codes of the permissions attached to a user, for [`numbers`]; `u` is the users table.
macro_rules! own_codes {
    () => {
        "(SELECT string_agg(CAST(p.code AS TEXT), ',') FROM user_permissions up \
          JOIN permissions p ON p.id = up.permission_id WHERE up.user_id = u.id)"
    };
}
pub(super) use own_codes;

/// Selects the unique fields whose values other users have, and the ids of those users. The username, `$1`, is compared
/// with this column. `$2` is the mobile number, `$3` the address, `$4` the user that asks.
macro_rules! holders {
    ($username:literal) => {
        concat!(
            "SELECT 'username', id FROM users WHERE ",
            $username,
            " = $1 AND id <> $4 \
             UNION ALL SELECT 'mobile_number', id FROM users WHERE mobile_number = $2 AND mobile_number <> '' AND id <> $4 \
             UNION ALL SELECT 'email', id FROM users WHERE email = $3 AND email <> '' AND id <> $4"
        )
    };
}
pub(super) use holders;

/// Reads the columns that [`columns`] names.
macro_rules! from_row {
    (
        personal { $($(#[$doc:meta])* $name:ident: $stored:ty $(as $written:ty)?;)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident = $default:literal;)+ }
    ) => {
        impl FromRow for User {
            fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
                Ok(Self {
                    id: row.next_as::<i64, _>("user id")?,
                    username: row.next()?,
                    $($name: row.next()?,)+
                    $($flag: row.next()?,)+
                    last_login: optional_time(row.next()?)?,
                    last_seen_at: optional_time(row.next()?)?,
                    created_at: row.next_as::<i64, _>("time")?,
                    updated_at: row.next_as::<i64, _>("time")?,
                    groups: numbers(row.next()?, "group id")?,
                })
            }
        }
    };
}
user_fields!(from_row);

/// Converts a time that may be null.
pub(super) fn optional_time(micros: Option<i64>) -> Result<Option<Timestamp>, DatabaseError> {
    micros.map(Timestamp::from_micros).transpose().map_err(|_| DatabaseError::corrupt("time"))
}

/// Parses the numbers of one column, separated by commas, and returns each once in rising order. The database does not sort
/// them: SQLite would build a table for it, which costs more than the rest of the look-up.
pub(super) fn numbers<T: FromStr + Ord>(
    list: Option<String>,
    what: &'static str,
) -> Result<Vec<T>, DatabaseError> {
    let list = list.unwrap_or_default();
    let parts = list.split(',').filter(|part| !part.is_empty());
    let numbers = parts.map(|part| part.parse().map_err(|_| DatabaseError::corrupt(what)));
    let mut numbers = numbers.collect::<Result<Vec<T>, _>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

impl FromRow for UserState {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { user: User::from_row(row)?, codes: numbers(row.next()?, "permission code")? })
    }
}

/// Selects the user of an id or name.
pub(in crate::directory) fn find(key: &UserKey) -> Sql {
    of_key(key, concat!("SELECT ", columns!(), " FROM users u WHERE u."))
}

/// Selects the same with the codes of its own permissions.
fn find_state(key: &UserKey) -> Sql {
    of_key(key, concat!("SELECT ", columns!(), ", ", own_codes!(), " FROM users u WHERE u."))
}

/// Returns the same as a read that a change begins with. Not of a user who is called by a name, which another may get before.
pub(in crate::directory) fn first_read_of_state(key: &UserKey) -> Option<FirstRead> {
    id_of(key).map(|id| FirstRead { sql: find_state(key), subject: subject(id) })
}

/// Returns the reads of a user, and of what it holds, that a change begins with.
pub(in crate::directory) fn first_reads_of_holder(key: &UserKey) -> Vec<FirstRead> {
    let Some(id) = id_of(key) else { return Vec::new() };
    [find(key), permissions::held(id)].map(|sql| FirstRead { sql, subject: subject(id) }).into()
}

fn id_of(key: &UserKey) -> Option<UserId> {
    match key {
        UserKey::Id(id) => Some(*id),
        UserKey::Name(_) => None,
    }
}

/// The row of a user, as what a [`FirstRead`] depends on. Ids begin at 1.
pub(in crate::directory) fn subject(id: UserId) -> Subject {
    Subject(id.get())
}

fn of_key(key: &UserKey, select: &'static str) -> Sql {
    let mut sql = Sql::new(select);
    match key {
        UserKey::Id(id) => sql.push("id = ").push_arg(*id),
        UserKey::Name(name) => sql.push("username = ").push_arg(name.as_str()),
    };
    sql
}

/// Selects members of a group, after an id and ordered by it. A page reads no more of the index than it shows.
pub(in crate::directory) fn members(group: GroupId, after: Option<UserId>, limit: u32) -> Sql {
    let sql = Sql::new(concat!(
        "SELECT ",
        columns!(),
        " FROM memberships own JOIN users u ON u.id = own.user_id \
         WHERE own.group_id = $1 AND own.user_id > $2 ORDER BY own.user_id LIMIT $3"
    ));
    sql.bind(group).bind(after.map_or(0, UserId::get)).bind(i64::from(limit))
}

/// Selects the users that a permission is attached to, after an id and ordered by it.
pub(in crate::directory) fn with_permission(
    permission: PermissionId,
    after: Option<UserId>,
    limit: u32,
) -> Sql {
    let sql = Sql::new(concat!(
        "SELECT ",
        columns!(),
        " FROM user_permissions own JOIN users u ON u.id = own.user_id \
         WHERE own.permission_id = $1 AND own.user_id > $2 ORDER BY own.user_id LIMIT $3"
    ));
    sql.bind(permission).bind(after.map_or(0, UserId::get)).bind(i64::from(limit))
}

/// The most users that [`seen_since`] selects. The number is part of the statement, so that PostgreSQL plans for it.
pub const SEEN_MAX: usize = 7;

/// Selects the users who were seen since a time, the latest first, at most [`SEEN_MAX`].
pub(in crate::directory) fn seen_since(since: Timestamp) -> Sql {
    Sql::new(concat!(
        "SELECT ",
        columns!(),
        " FROM users u WHERE u.last_seen_at >= $1 ORDER BY u.last_seen_at DESC, u.id DESC LIMIT 7"
    ))
    .bind(since)
    .with_one_plan()
}

/// Selects the users of these ids, of which there is at least one, ordered by id.
pub(in crate::directory) fn of_ids(ids: &[UserId]) -> Sql {
    let mut sql = Sql::composed(concat!("SELECT ", columns!(), " FROM users u WHERE u.id IN ("));
    for (place, id) in ids.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).push_arg(*id);
    }
    sql.push(") ORDER BY u.id");
    sql
}

/// The stored credentials that a sign-in is checked against.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::directory) struct StoredCredentials {
    pub(in crate::directory) id: UserId,
    /// The encoded hash.
    pub(in crate::directory) password: String,
    pub(in crate::directory) is_active: bool,
}

prints_only!(StoredCredentials: id, is_active);

impl FromRow for StoredCredentials {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { id: row.next_as::<i64, _>("user id")?, password: row.next()?, is_active: row.next()? })
    }
}

/// Selects the id of any user; no row if there is none.
pub(in crate::directory) fn is_any() -> Sql {
    Sql::new("SELECT id FROM users LIMIT 1")
}

/// Selects the credentials of a username.
pub(in crate::directory) fn credentials(username: &str) -> Sql {
    Sql::new("SELECT id, password, is_active FROM users WHERE username = $1").bind(username)
}

/// New values of the fields that must be unique; `None` for a field without a new value.
pub(in crate::directory) struct UniqueFields<'a> {
    /// The user that gets them.
    pub(in crate::directory) id: UserId,
    pub(in crate::directory) username: Option<&'a str>,
    pub(in crate::directory) mobile_number: Option<&'a str>,
    pub(in crate::directory) email: Option<&'a str>,
    /// Users deleted after this time keep their values; `None` to ignore them.
    pub(in crate::directory) bin_since: Option<Timestamp>,
}

impl UniqueFields<'_> {
    /// Whether there is no new value.
    pub(in crate::directory) fn is_empty(&self) -> bool {
        self.username.is_none() && self.mobile_number.is_none() && self.email.is_none()
    }
}

impl Tx<'_> {
    /// Returns the user of an id or name.
    pub(in crate::directory) fn user(&self, key: &UserKey) -> Result<Option<User>, Error> {
        Ok(self.first(&find(key))?)
    }

    /// Returns the user of an id or name, or [`Error::NotFound`].
    pub(in crate::directory) fn existing_user(&self, key: &UserKey) -> Result<User, Error> {
        self.user(key)?.ok_or_else(|| Error::not_found("user", key))
    }

    /// Returns the same with the codes of its own permissions, or [`Error::NotFound`].
    pub(in crate::directory) fn existing_user_state(&self, key: &UserKey) -> Result<UserState, Error> {
        self.user_state(key)?.ok_or_else(|| Error::not_found("user", key))
    }

    /// Returns the same with the codes of its own permissions.
    pub(in crate::directory) fn user_state(&self, key: &UserKey) -> Result<Option<UserState>, Error> {
        Ok(self.first(&find_state(key))?)
    }

    /// Returns the names of the fields whose new value another user has. Usernames that differ only in case count as equal.
    pub(in crate::directory) fn taken(&self, fields: &UniqueFields<'_>) -> Result<Vec<String>, Error> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let UniqueFields { id, username, mobile_number, email, bin_since } = *fields;
        let mut sql = Sql::new(holders!("username_key"));
        if bin_since.is_some() {
            sql.push(
                " UNION ALL SELECT 'username', id FROM deleted_users WHERE username_key = $1 AND deleted_at > $5 \
                 UNION ALL SELECT 'email', id FROM deleted_users WHERE email = $3 AND email <> '' AND deleted_at > $5 \
                 UNION ALL SELECT 'mobile_number', id FROM deleted_users WHERE ",
            );
            sql.push(
                self.either("remains ->> 'mobile_number'", "CAST(remains AS jsonb) ->> 'mobile_number'"),
            );
            sql.push(" = $2 AND $2 <> '' AND deleted_at > $5");
        }
        let sql = sql.bind(username.map(fold)).bind(mobile_number).bind(email).bind(id);
        let sql = if let Some(since) = bin_since { sql.bind(since) } else { sql };
        let holders: Vec<Numbered> = self.all(&sql)?;
        let mut taken: Vec<String> = holders.into_iter().map(|Numbered(field, _)| field).collect();
        // A user may have the value, and a deleted one may have had it.
        let mut seen = BTreeSet::new();
        taken.retain(|field| seen.insert(field.clone()));
        Ok(taken)
    }

    /// Inserts a user, with the next id if none is given.
    pub(in crate::directory) fn insert_user(
        &self,
        id: Option<UserId>,
        user: &User,
        hash: &str,
        made_here: bool,
    ) -> Result<UserId, Error> {
        let given = id.map_or(0, UserId::get);
        let id = if id.is_some() { Some(given) } else { self.next_id("users")? };
        let mut columns = written(user, None);
        columns.push(("password", hash.into()));
        columns.push(("made_here", made_here.into()));
        columns.extend(id.map(|id| ("id", id.into())));
        let mut sql = Sql::new("INSERT INTO users (updated_at");
        for (name, _) in &columns {
            sql.push(", ").push(name);
        }
        sql.push(") VALUES (").push_arg(user.updated_at);
        for (_, value) in columns {
            sql.push(", ").push_arg(value);
        }
        sql.push(") RETURNING id");
        let new: Option<i64> = self.insert_with_ids("users", given, || Ok(self.first(&sql)?))?;
        let id = new
            .and_then(|id| UserId::try_from(id).ok())
            .ok_or_else(|| DatabaseError::corrupt("new user id"))?;
        Ok(self.index_user(id, user).map(|()| id)?)
    }

    /// Writes the columns of a user except the password. On SQLite only the columns that differ: it rewrites a named column in
    /// every index that has it. PostgreSQL compares by itself, and would keep a prepared statement for each set of columns.
    pub(in crate::directory) fn update_user(&self, user: &User, before: Option<&User>) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE users SET updated_at = ");
        sql.push_arg(user.updated_at);
        for (name, value) in written(user, before.filter(|_| self.dialect() == Dialect::Sqlite)) {
            sql.push(", ").push(name).push(" = ").push_arg(value);
        }
        sql.push(" WHERE id = ").push_arg(user.id);
        Ok(self.send_about(subject(user.id), sql)?)
    }

    /// Writes the search key, which contains the id: a new row has one only after the insert.
    fn index_user(&self, id: UserId, user: &User) -> Result<(), DatabaseError> {
        let sql = Sql::new("UPDATE users SET search_key = $1 WHERE id = $2 AND search_key <> $1");
        self.execute(&sql.bind(search_key(id, user)).bind(id)).map(|_| ())
    }

    /// Returns the current credentials of a user.
    pub(in crate::directory) fn credentials(&self, id: UserId) -> Result<Option<StoredCredentials>, Error> {
        Ok(self.first(&Sql::new("SELECT id, password, is_active FROM users WHERE id = $1").bind(id))?)
    }

    /// Records a sign-in and stores a renewed hash, if there is one. It does not count as a change of the user.
    pub(in crate::directory) fn signed_in(
        &self,
        id: UserId,
        now: Timestamp,
        hash: Option<&str>,
    ) -> Result<(), Error> {
        let sql =
            Sql::new("UPDATE users SET last_login = $1, password = COALESCE($2, password) WHERE id = $3");
        self.execute(&sql.bind(now).bind(hash).bind(id))?;
        Ok(())
    }

    /// Replaces the stored hash of a user's password.
    pub(in crate::directory) fn set_password(
        &self,
        id: UserId,
        hash: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = Sql::new("UPDATE users SET password = $1, updated_at = $2 WHERE id = $3");
        self.execute(&sql.bind(hash).bind(now).bind(id))?;
        Ok(())
    }

    /// Deletes a user with its tokens, memberships and permissions. What ended the tokens is kept.
    pub(in crate::directory) fn delete_user(&self, id: UserId, now: Timestamp) -> Result<(), Error> {
        self.keep_ended_of_user(id.get(), now)?;
        self.execute(&Sql::new("DELETE FROM users WHERE id = $1").bind(id))?;
        Ok(())
    }

    /// Whether there is an active admin besides this user.
    pub(in crate::directory) fn other_admin_than(&self, id: UserId) -> Result<bool, Error> {
        let sql =
            Sql::new("SELECT u.id FROM users u WHERE u.is_admin AND u.is_active AND u.id <> $1 LIMIT 1");
        Ok(self.first::<i64>(&sql.bind(id))?.is_some())
    }
}

/// Returns the columns of a user to write besides `updated_at`: all, or those that differ from `before`.
pub(super) fn written(user: &User, before: Option<&User>) -> Vec<(&'static str, Value)> {
    let mut columns = plain_columns(user);
    if let Some(before) = before.map(plain_columns) {
        let mut before = before.iter();
        columns.retain(|column| before.next() != Some(column));
    }
    let differs = |names: &[&str]| before.is_none() || columns.iter().any(|(name, _)| names.contains(name));
    let (name, email) = (differs(&["username"]), differs(&["email"]));
    let searched = differs(&["username", "mobile_number", "email", "first_name", "last_name"]);
    // Derived columns are written with the column that they are derived from.
    columns.extend(name.then(|| ("username_key", fold(&user.username).into())));
    columns.extend(email.then(|| ("email_key", fold(user.email.as_deref().unwrap_or_default()).into())));
    columns.extend(searched.then(|| ("search_key", search_key(user.id, user).into())));
    columns
}

/// Returns the columns that have the values of the user's fields.
fn plain_columns(user: &User) -> Vec<(&'static str, Value)> {
    let mut columns = vec![("username", user.username.as_str().into())];
    columns.extend(user.fields().map(|(name, value)| (name, value.into())));
    columns.push(("last_login", user.last_login.into()));
    columns.push(("created_at", user.created_at.into()));
    columns
}

impl From<FieldValue<'_>> for Value {
    fn from(value: FieldValue<'_>) -> Self {
        match value {
            FieldValue::Null => Self::Null,
            FieldValue::Text(text) => text.into(),
            FieldValue::Flag(flag) => flag.into(),
        }
    }
}

/// Returns all searched fields, folded. U+001F keeps a term from matching across two fields.
pub(super) fn search_key(id: UserId, user: &User) -> String {
    let id = id.to_string();
    let mobile_number = user.mobile_number.as_deref().unwrap_or_default();
    let email = user.email.as_deref().unwrap_or_default();
    let texts = [&id, user.username.as_str(), mobile_number, email, &user.first_name, &user.last_name];
    fold(&texts.join("\u{1f}"))
}
