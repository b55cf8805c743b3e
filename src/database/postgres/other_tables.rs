//! Whether a database that gets this program's tables is in use by another program.

use crate::database::error::DatabaseError;
use crate::database::link::Link;
use crate::database::open::OpenError;
use crate::database::row::{FromRow, Row};
use crate::database::sql::Sql;

/// How many names a message lists.
const LISTED: i64 = 5;

/// Selects tables and views that belong to no extension and not to the system: those of one schema, or all.
const TABLES: &str = "SELECT count(*) OVER (), format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
     AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' \
     AND (n.nspname = current_schema() OR NOT $1) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
     ORDER BY n.nspname <> current_schema(), n.nspname, c.relname LIMIT $2";

struct Table {
    count: i64,
    name: String,
}

impl FromRow for Table {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { count: row.next()?, name: row.next()? })
    }
}

/// Fails if the database has tables already. If the URL names a schema, only that schema counts.
pub(crate) fn refuse(link: &Link, names_schema: bool) -> Result<(), OpenError> {
    let tables: Vec<Table> = link.all(&Sql::new(TABLES).bind(names_schema).bind(LISTED))?;
    let Some(first) = tables.first() else { return Ok(()) };
    let count = usize::try_from(first.count).unwrap_or_default();
    let mut some: Vec<_> = tables.iter().map(|table| table.name.clone()).collect();
    if count > some.len() {
        some.push("...".to_owned());
    }
    let place = if names_schema { "the schema of the URL" } else { "the PostgreSQL database" };
    Err(OpenError::OtherTables { place: place.to_owned(), count, some })
}
