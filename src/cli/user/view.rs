//! How users are shown.

use serde_json::{Value, json};

use crate::cli::days::to_the_second;
use crate::cli::report::Report;
use crate::cli::terminal::{CellStyle, TableCell, TableColumn, TextTable, printable};
use crate::directory::model::{DeletedUser, Timestamp, User};

/// What was done to users: a line for each, and an object or, for several users, an array.
pub(super) fn done(verb: &str, users: &[User]) -> Report {
    let line = |user: &User| format!("{verb} user {} ({}).\n", user.id, printable(&user.username));
    let text: String = users.iter().map(line).collect();
    Report::new(text, one_or_all(users.iter().map(json).collect()))
}

/// The JSON of one object, or of several.
pub(super) fn one_or_all(mut objects: Vec<Value>) -> Value {
    match (objects.pop(), objects.is_empty()) {
        (Some(one), true) => one,
        (last, _) => {
            objects.extend(last);
            Value::Array(objects)
        }
    }
}

/// A table of users.
pub(super) fn table(users: &[User]) -> TextTable {
    let columns = [
        TableColumn::whole("id"),
        TableColumn::text("username"),
        TableColumn::text("full name").spare(1),
        TableColumn::text("email"),
        TableColumn::whole("rights"),
        TableColumn::whole("last login").spare(2),
    ];
    let row = |user: &User| {
        let style = if user.is_active { CellStyle::Plain } else { CellStyle::Bad };
        [
            TableCell::from(user.id.to_string()),
            user.username.as_str().into(),
            user.full_name().into(),
            user.email.as_deref().unwrap_or_default().into(),
            TableCell::from(rights(user)).styled(style),
            when(user.last_login).into(),
        ]
    };
    TextTable::new(columns, users.iter().map(row).collect())
}

/// A table of deleted users, with the time at which each will be purged.
pub(super) fn deleted_table(
    users: &[DeletedUser],
    purge_at: impl Fn(&DeletedUser) -> Timestamp,
) -> TextTable {
    let columns = [
        TableColumn::whole("id"),
        TableColumn::text("username"),
        TableColumn::whole("deleted at"),
        TableColumn::text("by"),
        TableColumn::whole("purge at"),
    ];
    let row = |user: &DeletedUser| {
        let [at, end] = [user.deleted_at, purge_at(user)].map(to_the_second);
        [user.id.to_string(), user.username.clone(), at, user.deleted_by.clone(), end].map(TableCell::from)
    };
    TextTable::new(columns, users.iter().map(row).collect())
}

pub(super) fn rights(user: &User) -> String {
    let flags = [(user.is_admin, "admin"), (user.is_staff, "staff"), (!user.is_active, "inactive")];
    flags.into_iter().filter_map(|(set, name)| set.then_some(name)).collect::<Vec<_>>().join(",")
}

pub(super) fn when(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "never".to_owned(), to_the_second)
}

pub(super) fn json(user: &User) -> Value {
    json!({
        "id": user.id.get(),
        "username": user.username,
        "mobile_number": user.mobile_number,
        "email": user.email,
        "avatar": user.avatar,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "full_name": user.full_name(),
        "gender": user.gender,
        "groups": user.groups.iter().map(|group| group.get()).collect::<Vec<_>>(),
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_admin": user.is_admin,
        "last_login": user.last_login.map(|at| at.to_string()),
        "created_at": user.created_at.to_string(),
        "updated_at": user.updated_at.to_string(),
    })
}
