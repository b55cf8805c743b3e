//! How groups are shown.

use serde_json::{Value, json};

use crate::cli::days::to_the_second;
use crate::cli::report::Report;
use crate::cli::terminal::{TableCell, TableColumn, TextTable};
use crate::directory::model::{DeletedGroup, Group, Timestamp};

/// What was done to groups: a line for each, and an object or, for several groups, an array.
pub(super) fn done(verb: &str, groups: &[Group]) -> Report {
    Report::new(lines(verb, groups), one_or_all(groups.iter().map(json).collect()))
}

/// A line for each group.
pub(super) fn lines(verb: &str, groups: &[Group]) -> String {
    groups.iter().map(|group| format!("{verb} group {} ({}).\n", group.id, group.name)).collect()
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

/// A table of groups.
pub(super) fn table(groups: &[Group]) -> TextTable {
    let columns = [
        TableColumn::whole("id"),
        TableColumn::text("name"),
        TableColumn::whole("users"),
        TableColumn::text("notes"),
    ];
    let row = |group: &Group| {
        let notes = group.notes.clone().unwrap_or_default();
        [group.id.to_string(), group.name.clone(), group.users_count.to_string(), notes].map(TableCell::from)
    };
    TextTable::new(columns, groups.iter().map(row).collect())
}

pub(super) fn json(group: &Group) -> Value {
    json!({
        "id": group.id.get(),
        "name": group.name,
        "notes": group.notes,
        "users_count": group.users_count,
        "created_at": group.created_at.to_string(),
        "updated_at": group.updated_at.to_string(),
    })
}

/// A table of deleted groups, with the time at which each will be purged.
pub(super) fn deleted_table(
    groups: &[DeletedGroup],
    purge_at: impl Fn(&DeletedGroup) -> Timestamp,
) -> TextTable {
    let columns = [
        TableColumn::whole("id"),
        TableColumn::text("name"),
        TableColumn::whole("users"),
        TableColumn::whole("deleted at"),
        TableColumn::text("by"),
        TableColumn::whole("purge at"),
    ];
    let row = |group: &DeletedGroup| {
        let [at, end] = [group.deleted_at, purge_at(group)].map(to_the_second);
        let users = group.users_count.to_string();
        [group.id.to_string(), group.name.clone(), users, at, group.deleted_by.clone(), end]
            .map(TableCell::from)
    };
    TextTable::new(columns, groups.iter().map(row).collect())
}
