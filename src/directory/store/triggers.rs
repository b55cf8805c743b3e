//! Switching triggers off while many rows are copied. Copying millions of rows would add millions of rows to the feed of
//! changes; one that says that everything changed is enough.

use crate::database::{DatabaseError, FromRow, Link, Row, Sql, Tx};

/// Selects for each table and trigger that is on: the table, and the statements that switch the trigger off and back to
/// the state that it has, such as `ALWAYS`.
const TRIGGERS: &str = "SELECT CAST(c.relname AS TEXT), format('ALTER TABLE %I DISABLE TRIGGER %I', c.relname, t.tgname), \
     format('ALTER TABLE %I %s TRIGGER %I', c.relname, CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' \
     WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE' END, t.tgname) \
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND n.nspname = current_schema() ORDER BY c.relname, t.tgname";

/// The triggers that are off. They must be switched on before the transaction is committed.
#[must_use]
pub(super) struct TriggersOff {
    on: Vec<String>,
}

struct Trigger {
    table: String,
    off: String,
    on: String,
}

impl FromRow for Trigger {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self { table: row.next()?, off: row.next()?, on: row.next()? })
    }
}

impl TriggersOff {
    /// Switches the triggers of these tables off; on SQLite, all triggers of the connection.
    pub(super) fn begin(link: &Link, tables: &[&str]) -> Result<Self, DatabaseError> {
        if let Link::Sqlite(connection) = link {
            connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
            return Ok(Self { on: Vec::new() });
        }
        let mut triggers: Vec<Trigger> = Tx::new(link).all(&Sql::new(TRIGGERS))?;
        triggers.retain(|trigger| tables.contains(&trigger.table.as_str()));
        triggers.iter().try_for_each(|trigger| link.batch(&trigger.off))?;
        Ok(Self { on: triggers.into_iter().map(|trigger| trigger.on).collect() })
    }

    /// Switches each of them on again, as it was.
    pub(super) fn end(self, link: &Link) -> Result<(), DatabaseError> {
        if let Link::Sqlite(connection) = link {
            connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
        }
        self.on.iter().try_for_each(|statement| link.batch(statement))
    }
}
