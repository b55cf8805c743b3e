//! One row of either database, read column by column from the left.

use rusqlite::types::{FromSql as FromSqlite, ValueRef};
use tokio_postgres::types::{FromSqlOwned as FromPostgres, Type};

use super::error::DatabaseError;
use super::sql::Value;

/// A row that is being read. Each [`Row::next`] takes the next column.
pub(crate) struct Row<'a> {
    source: Source<'a>,
    column: usize,
}

enum Source<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// What a row of some statement is read into.
pub(crate) trait FromRow: Sized + Send + 'static {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError>;
}

impl<'a> Row<'a> {
    pub(crate) fn sqlite(row: &'a rusqlite::Row<'a>) -> Self {
        Self { source: Source::Sqlite(row), column: 0 }
    }

    pub(crate) fn postgres(row: &'a tokio_postgres::Row) -> Self {
        Self { source: Source::Postgres(row), column: 0 }
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        match &self.source {
            Source::Sqlite(row) => row.as_ref().column_count(),
            Source::Postgres(row) => row.len(),
        }
    }

    /// The next column as `T`.
    pub(crate) fn next<T: FromSqlite + FromPostgres>(&mut self) -> Result<T, DatabaseError> {
        let column = self.column;
        self.column += 1;
        match &self.source {
            Source::Sqlite(row) => row.get(column).map_err(DatabaseError::from),
            Source::Postgres(row) => row.try_get(column).map_err(DatabaseError::from),
        }
    }

    /// The next column through a conversion that can refuse what is stored.
    pub(crate) fn next_as<S, T>(&mut self, what: &'static str) -> Result<T, DatabaseError>
    where
        S: FromSqlite + FromPostgres,
        T: TryFrom<S>,
    {
        let stored = self.next::<S>()?;
        T::try_from(stored).map_err(|_| DatabaseError::corrupt(what))
    }

    /// The columns that are left, whatever they hold. True and false are 1 and 0 here, as SQLite keeps them.
    pub(crate) fn rest(&mut self) -> Result<Vec<Value>, DatabaseError> {
        let columns = match &self.source {
            Source::Sqlite(row) => row.as_ref().column_count(),
            Source::Postgres(row) => row.len(),
        };
        let from = std::mem::replace(&mut self.column, columns);
        (from..columns).map(|column| self.value(column)).collect()
    }

    fn value(&self, column: usize) -> Result<Value, DatabaseError> {
        match &self.source {
            Source::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Null => Ok(Value::Null),
                ValueRef::Integer(number) => Ok(Value::Int(number)),
                ValueRef::Text(text) => {
                    let text = str::from_utf8(text).map_err(|_| DatabaseError::corrupt("text"))?;
                    Ok(Value::Text(text.to_owned()))
                }
                ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
                ValueRef::Real(_) => Err(DatabaseError::corrupt("number")),
            },
            Source::Postgres(row) => {
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
