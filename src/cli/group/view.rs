//! How groups are shown.

use serde_json::{Value, json};

use crate::cli::terminal::{TableCell, TableColumn, TextTable};
use crate::directory::model::Group;

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
