//! Generic access to the rows of any table: read in the order of their keys, a page at a time, and written in bulk.

use tokio_postgres::types::Type;

use super::tables::{ColumnKind, TableSpec};
use crate::database::{DatabaseError, FromRow, Link, Row, Sql, Tx, Value};

/// The number of rows read or written at once. It bounds the memory.
const PAGE: i64 = 1000;

/// The values of a row, in the order of the table's columns.
pub(super) struct RowValues(Vec<Value>);

impl RowValues {
    pub(super) fn into_values(self) -> Vec<Value> {
        self.0
    }
}

impl FromRow for RowValues {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        row.rest().map(Self)
    }
}

impl TableSpec {
    /// Reads the page of rows after a key, or the first page.
    fn page(&self, after: Option<&[Value]>) -> Sql {
        let mut sql = Sql::new("SELECT ");
        self.push_columns(&mut sql, self.columns.len());
        sql.push(" FROM ").push(self.name);
        if let Some(key) = after {
            sql.push(" WHERE (");
            self.push_columns(&mut sql, self.key);
            sql.push(") > (");
            for (place, value) in key.iter().enumerate() {
                sql.push(if place == 0 { "" } else { ", " }).push_arg(value.clone());
            }
            sql.push(")");
        }
        sql.push(" ORDER BY ");
        self.push_columns(&mut sql, self.key);
        sql.push(" LIMIT ").push_arg(PAGE);
        sql
    }

    /// Reads the row with this id, in a table whose key is the id.
    pub(super) fn row(&self, id: i64) -> Sql {
        let mut sql = Sql::new("SELECT ");
        self.push_columns(&mut sql, self.columns.len());
        sql.push(" FROM ").push(self.name).push(" WHERE id = ").push_arg(id);
        sql
    }

    fn push_columns(&self, sql: &mut Sql, many: usize) {
        for (place, (name, _)) in self.columns.iter().take(many).enumerate() {
            sql.push(if place == 0 { "" } else { ", " }).push(name);
        }
    }

    fn key_of<'a>(&self, row: &'a [Value]) -> &'a [Value] {
        row.get(..self.key).unwrap_or(row)
    }

    /// Describes a row's key for an error message.
    pub(super) fn name_of(&self, row: &[Value]) -> String {
        let cells = self.columns.iter().zip(self.key_of(row));
        cells.map(|((name, _), value)| format!("{name} {}", shown(value))).collect::<Vec<_>>().join(", ")
    }

    /// Iterates over all rows in the order of their keys, a page at a time.
    pub(super) fn pages<'a, 'b>(&'a self, tx: &'a Tx<'b>) -> RowPages<'a, 'b> {
        RowPages { table: self, tx, after: None, ended: false }
    }

    /// Inserts rows.
    pub(super) fn insert(&self, link: &Link, mut rows: Vec<Vec<Value>>) -> Result<(), DatabaseError> {
        let mut sql = Sql::new(if let Link::Sqlite(_) = link { "INSERT INTO " } else { "COPY " });
        sql.push(self.name).push(" (");
        self.push_columns(&mut sql, self.columns.len());
        if let Link::Sqlite(_) = link {
            sql.push(") VALUES (?");
            self.columns.iter().skip(1).for_each(|_| {
                sql.push(", ?");
            });
            sql.push(")");
            return link.insert(&sql, &[], &rows);
        }
        for (place, _) in self.columns.iter().enumerate().filter(|(_, (_, kind))| *kind == ColumnKind::Bool) {
            for cell in rows.iter_mut().filter_map(|row| row.get_mut(place)) {
                if let Value::Int(number) = cell {
                    *cell = Value::Bool(*number != 0);
                }
            }
        }
        sql.push(") FROM STDIN BINARY");
        let types: Vec<Type> = self.columns.iter().map(|(_, kind)| kind.on_postgres()).collect();
        link.insert(&sql, &types, &rows)
    }
}

impl ColumnKind {
    fn on_postgres(self) -> Type {
        match self {
            Self::Int => Type::INT8,
            Self::Bool => Type::BOOL,
            Self::Text => Type::TEXT,
            Self::Bytes => Type::BYTEA,
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Bytes(value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The iterator of [`TableSpec::pages`].
pub(super) struct RowPages<'a, 'b> {
    table: &'a TableSpec,
    tx: &'a Tx<'b>,
    after: Option<Vec<Value>>,
    ended: bool,
}

impl Iterator for RowPages<'_, '_> {
    type Item = Result<Vec<Vec<Value>>, DatabaseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let page: Result<Vec<RowValues>, _> = self.tx.all(&self.table.page(self.after.as_deref()));
        let page = page.map(|rows| rows.into_iter().map(|RowValues(row)| row).collect::<Vec<_>>());
        self.after =
            page.as_ref().ok().and_then(|rows| rows.last()).map(|row| self.table.key_of(row).to_vec());
        self.ended = self.after.is_none();
        match page {
            Ok(rows) if rows.is_empty() => None,
            page => Some(page),
        }
    }
}
