//! Pages of rows of a foreign table, in the order of a key.

use std::fmt;

use super::catalogue::{ForeignColumn, ForeignTable};
use crate::database::error::DatabaseError;
use crate::database::row::{FromRow, Row};
use crate::database::sql::{Name, Sql};

/// The values of a row, each as the bytes of its text; `None` is `NULL`.
pub(crate) struct ForeignRow(pub(crate) Vec<Option<Vec<u8>>>);

impl FromRow for ForeignRow {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        (0..row.width()).map(|_| row.next()).collect::<Result<_, _>>().map(Self)
    }
}

/// How the values of a key are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Whole numbers of up to 64 bits.
    Number,
    /// PostgreSQL's own type.
    Uuid,
    /// Any other type, by its text.
    Text,
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyValue {
    Number(i64),
    Text(String),
}

impl fmt::Display for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Rows of another table, each joined to one of the rows that are read.
pub(crate) struct JoinedTable<'a> {
    pub(crate) table: &'a ForeignTable,
    /// The column of that table whose value a row repeats.
    pub(crate) to: &'a str,
    /// The column of that table that is the key.
    pub(crate) key: &'a ForeignColumn,
}

/// Which rows to read.
pub(crate) struct RowQuery<'a> {
    pub(crate) table: &'a ForeignTable,
    /// The key; with `owner`, the column that refers to the owner.
    pub(crate) column: &'a ForeignColumn,
    /// The table that has the key, if the rows themselves do not.
    pub(crate) owner: Option<JoinedTable<'a>>,
    pub(crate) kind: KeyKind,
    pub(crate) columns: Vec<&'a ForeignColumn>,
    /// Only rows with a key above this.
    pub(crate) after: Option<&'a KeyValue>,
    /// Only rows with a key up to this.
    pub(crate) until: Option<&'a KeyValue>,
    pub(crate) limit: Option<i64>,
}

impl RowQuery<'_> {
    /// Composes the statement. The first value of each row is its key. A row whose key is null is in no page.
    pub(super) fn sql(&self, is_postgres: bool) -> Sql {
        let cells = Cells { is_postgres };
        let (key, alias) = match &self.owner {
            Some(owner) => (owner.key, "u."),
            None => (self.column, "t."),
        };
        let ordered = |sql: &mut Sql| cells.push_ordered(sql, alias, key, self.kind);
        let mut sql = Sql::composed("SELECT ");
        cells.push(&mut sql, alias, key);
        for column in &self.columns {
            sql.push(", ");
            cells.push(&mut sql, "t.", column);
        }
        sql.push(" FROM ").push_table(self.table.schema.as_deref(), &self.table.name).push(" t");
        if let Some(owner) = &self.owner {
            sql.push(" JOIN ").push_table(owner.table.schema.as_deref(), &owner.table.name).push(" u ON u.");
            sql.push_name(&Name::new(owner.to)).push(" = t.").push_name(&Name::new(&self.column.name));
        }
        sql.push(" WHERE ");
        ordered(&mut sql);
        sql.push(" IS NOT NULL");
        for (comparison, bound) in [(" > ", self.after), (" <= ", self.until)] {
            if let Some(bound) = bound {
                sql.push(" AND ");
                ordered(&mut sql);
                sql.push(comparison);
                push_bound(&mut sql, self.kind, bound);
            }
        }
        sql.push(" ORDER BY ");
        ordered(&mut sql);
        if let Some(limit) = self.limit {
            sql.push(" LIMIT ").push_arg(limit);
        }
        sql
    }
}

fn push_bound(sql: &mut Sql, kind: KeyKind, bound: &KeyValue) {
    match bound {
        KeyValue::Number(number) => sql.push("CAST(").push_arg(*number).push(" AS BIGINT)"),
        KeyValue::Text(text) if kind == KeyKind::Uuid => {
            sql.push("CAST(CAST(").push_arg(text.as_str()).push(" AS TEXT) AS UUID)")
        }
        KeyValue::Text(text) => sql.push("CAST(").push_arg(text.as_str()).push(" AS TEXT)"),
    };
}

/// Expressions for the cells of either database.
struct Cells {
    is_postgres: bool,
}

impl Cells {
    /// Appends an expression that orders rows and can use an index: the column itself, unless its type compares in a way of
    /// its own, such as `citext`.
    fn push_ordered(&self, sql: &mut Sql, alias: &'static str, column: &ForeignColumn, kind: KeyKind) {
        let name = Name::new(&column.name);
        let is_plain = kind != KeyKind::Text || ["text", "character varying"].contains(&column.kind.as_str());
        match self.is_postgres && !is_plain {
            true => sql.push("CAST(").push(alias).push_name(&name).push(" AS TEXT)"),
            false => sql.push(alias).push_name(&name),
        };
    }

    /// Appends an expression for a column as the bytes of its text. Times are in UTC, in the format that SQLite uses.
    fn push(&self, sql: &mut Sql, alias: &'static str, column: &ForeignColumn) {
        let name = Name::new(&column.name);
        let time = |sql: &mut Sql, format: &'static str| {
            // `to_char` shows years before Christ like those after.
            sql.push("convert_to(CASE WHEN isfinite(").push(alias).push_name(&name).push(") AND ");
            sql.push(alias).push_name(&name).push(" >= '0001-01-01' THEN to_char(");
            sql.push(alias).push_name(&name).push(format).push(" ELSE CAST(").push(alias).push_name(&name);
            sql.push(" AS TEXT) END, 'UTF8')");
        };
        match (self.is_postgres, column.kind.as_str()) {
            (false, _) => {
                sql.push("CAST(").push(alias).push_name(&name).push(" AS BLOB)");
            }
            (true, "timestamp with time zone") => {
                time(sql, " AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.USZ')");
            }
            (true, "timestamp without time zone") => time(sql, ", 'YYYY-MM-DD HH24:MI:SS.US')"),
            (true, _) => {
                sql.push("convert_to(CAST(").push(alias).push_name(&name).push(" AS TEXT), 'UTF8')");
            }
        }
    }
}
