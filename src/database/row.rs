//! A row of either database. Its columns are read from left to right.

use rusqlite::types::{FromSql as FromSqlite, ValueRef};
use tokio_postgres::types::{FromSqlOwned as FromPostgres, Type};

use super::error::DatabaseError;
use super::sql::Value;

/// A row that is being read. Each call of [`Row::next`] returns the next column.
pub(crate) struct Row<'a> {
    raw: RawRow<'a>,
    column: usize,
}

/// The row as the driver returns it.
enum RawRow<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// A type that is read from the row of a statement.
pub(crate) trait FromRow: Sized + Send + 'static {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError>;
}

impl<'a> Row<'a> {
    pub(crate) fn sqlite(row: &'a rusqlite::Row<'a>) -> Self {
        Self { raw: RawRow::Sqlite(row), column: 0 }
    }

    pub(crate) fn postgres(row: &'a tokio_postgres::Row) -> Self {
        Self { raw: RawRow::Postgres(row), column: 0 }
    }

    /// Returns the number of columns.
    pub(crate) fn width(&self) -> usize {
        match &self.raw {
            RawRow::Sqlite(row) => row.as_ref().column_count(),
            RawRow::Postgres(row) => row.len(),
        }
    }

    /// Reads the next column as `T`.
    pub(crate) fn next<T: FromSqlite + FromPostgres>(&mut self) -> Result<T, DatabaseError> {
        let column = self.column;
        self.column += 1;
        match &self.raw {
            RawRow::Sqlite(row) => row.get(column).map_err(DatabaseError::from),
            RawRow::Postgres(row) => row.try_get(column).map_err(DatabaseError::from),
        }
    }

    /// Reads the next column and converts it. If the conversion fails, the error names `what`.
    pub(crate) fn next_as<S, T>(&mut self, what: &'static str) -> Result<T, DatabaseError>
    where
        S: FromSqlite + FromPostgres,
        T: TryFrom<S>,
    {
        let stored = self.next::<S>()?;
        T::try_from(stored).map_err(|_| DatabaseError::corrupt(what))
    }

    /// Reads the remaining columns, whatever their types. Booleans become 1 and 0, as SQLite stores them.
    pub(crate) fn rest(&mut self) -> Result<Vec<Value>, DatabaseError> {
        let columns = self.width();
        let from = std::mem::replace(&mut self.column, columns);
        (from..columns).map(|column| self.value(column)).collect()
    }

    fn value(&self, column: usize) -> Result<Value, DatabaseError> {
        match &self.raw {
            RawRow::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Null => Ok(Value::Null),
                ValueRef::Integer(number) => Ok(Value::Int(number)),
                ValueRef::Text(text) => {
                    let text = str::from_utf8(text).map_err(|_| DatabaseError::corrupt("text"))?;
                    Ok(Value::Text(text.to_owned()))
                }
                ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
                ValueRef::Real(_) => Err(DatabaseError::corrupt("number")),
            },
            RawRow::Postgres(row) => {
                let kind = row.columns().get(column).map(|column| column.type_().clone());
                Ok(match kind {
                    Some(Type::INT8) => row.try_get::<_, Option<i64>>(column)?.into(),
                    Some(Type::BOOL) => row.try_get::<_, Option<bool>>(column)?.map(i64::from).into(),
                    Some(Type::BYTEA) => row.try_get::<_, Option<Vec<u8>>>(column)?.into(),
                    _ => row.try_get::<_, Option<String>>(column)?.into(),
                })
            }
        }
    }
}

impl FromRow for i64 {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        row.next()
    }
}

impl FromRow for String {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        row.next()
    }
}
