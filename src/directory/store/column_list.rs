//! Statements that are made from lists of columns with their values, and parameters that are lists.

use serde_json::Value as Json;

use crate::database::{Sql, Value};

/// The columns of a row with their values.
pub(super) type Columns = Vec<(&'static str, Value)>;

/// Inserts rows that all have the same columns.
pub(super) fn insert(table: &'static str, rows: impl IntoIterator<Item = Columns>) -> Sql {
    let mut rows = rows.into_iter().peekable();
    let mut sql = Sql::new("INSERT INTO ");
    sql.push(table);
    for (place, (name, _)) in rows.peek().into_iter().flatten().enumerate() {
        sql.push(if place == 0 { " (" } else { ", " }).push(name);
    }
    sql.push(") VALUES ");
    for (place, row) in rows.enumerate() {
        sql.push(if place == 0 { "" } else { ", " });
        for (place, (_, value)) in row.into_iter().enumerate() {
            sql.push(if place == 0 { "(" } else { ", " }).push_arg(value);
        }
        sql.push(")");
    }
    sql
}

/// Updates columns of the row with this id.
pub(super) fn update(table: &'static str, columns: Columns, id: impl Into<Value>) -> Sql {
    let mut sql = Sql::new("UPDATE ");
    sql.push(table).push(" SET ");
    for (place, (name, value)) in columns.into_iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).push(name).push(" = ").push_arg(value);
    }
    sql.push(" WHERE id = ").push_arg(id);
    sql
}

/// Returns the parameter that stands for a list of values.
pub(super) fn json_list<T: Clone + Into<Json>>(values: &[T]) -> String {
    Json::from(values.to_vec()).to_string()
}
