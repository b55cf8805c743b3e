//! The ids of new rows: one above the highest that the table ever had, below 2^52.
//!
//! JavaScript misreads integers above 2^53, so higher ids, which only an import brings, do not count. PostgreSQL has a
//! sequence for each table, which this program moves. SQLite's own counter follows the highest id that is there, so on
//! SQLite each new row gets its id from here, and an insert with a high id sets the counter back.

use crate::database::{DatabaseError, Dialect, Sql, Tx};
use crate::directory::error::Error;

/// The first id that does not count, as text for statements.
macro_rules! high_id {
    () => {
        "4503599627370496"
    };
}
pub(super) use high_id;

/// The same as a number: 2^52.
const HIGH: i64 = 1 << 52;

impl Tx<'_> {
    /// Returns the id of the next new row of a table; `None` if the database assigns it.
    pub(super) fn next_id(&self, table: &'static str) -> Result<Option<i64>, Error> {
        if self.dialect() == Dialect::Postgres {
            return Ok(None);
        }
        let mut sql = Sql::new("SELECT 1 + max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = ");
        sql.push_arg(table).push(concat!(" AND seq < ", high_id!(), "), 0), "));
        let bin = match table {
            "users" => Some("deleted_users"),
            "groups" => Some("deleted_groups"),
            _ => None,
        };
        if let Some(bin) = bin {
            sql.push("coalesce((SELECT max(id) FROM ").push(bin);
            sql.push(concat!(" WHERE id < ", high_id!(), "), 0), "));
        }
        sql.push("coalesce((SELECT max(id) FROM ").push(table).push(concat!(
            " WHERE id < ",
            high_id!(),
            "), 0))"
        ));
        Ok(self.first(&sql)?)
    }

    /// Returns an id that no row of a table has or had, for a new row whose id must be known before it is inserted. A sequence
    /// of PostgreSQL may be behind the highest id, because someone's own SQL inserted rows.
    pub(super) fn unused_id(&self, table: &'static str) -> Result<i64, Error> {
        if let Some(id) = self.next_id(table)? {
            return Ok(id);
        }
        // The sequence is moved only if it is behind: that needs a right that a server needs for nothing else.
        let mut sql = Sql::new(
            "SELECT CASE WHEN next > highest THEN next ELSE setval(sequence, highest + 1) END FROM (\
             SELECT sequence, nextval(sequence) AS next, (SELECT coalesce(max(id), 0) FROM ",
        );
        sql.push(table).push(concat!(
            " WHERE id < ",
            high_id!(),
            ") AS highest FROM (SELECT CAST(pg_get_serial_sequence("
        ));
        sql.push_arg(table).push(", 'id') AS regclass) AS sequence) AS known) AS counted");
        self.first(&sql)?.ok_or_else(|| DatabaseError::corrupt("new id").into())
    }

    /// Runs an insert of rows with given ids, of which `highest` is the highest. New rows do not follow a high one.
    pub(super) fn insert_with_ids<T>(
        &self,
        table: &'static str,
        highest: i64,
        insert: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let next = if highest < HIGH { None } else { self.next_id(table)? };
        let inserted = insert()?;
        if let Some(next) = next {
            let mut sql = Sql::new("UPDATE sqlite_sequence SET seq = max(");
            sql.push_arg(next - 1).push(", coalesce((SELECT max(id) FROM ").push(table);
            sql.push(concat!(" WHERE id < ", high_id!(), "), 0)) WHERE name = ")).push_arg(table);
            self.execute(&sql)?;
        }
        Ok(inserted)
    }

    /// Moves the ids of new rows above all ids that are there, after rows with given ids were inserted. On SQLite that is
    /// needed only for ids in the recycle bin.
    pub(in crate::directory) fn count_ids_on(&self) -> Result<(), Error> {
        let sql = Sql::new(self.either(
            concat!(
                "UPDATE sqlite_sequence SET seq = max(seq, CASE name \
                 WHEN 'users' THEN (SELECT coalesce(max(id), 0) FROM deleted_users WHERE id < ",
                high_id!(),
                ") ELSE (SELECT coalesce(max(id), 0) FROM deleted_groups WHERE id < ",
                high_id!(),
                ") END) WHERE name IN ('users', 'groups') RETURNING seq"
            ),
            concat!(
                "SELECT count(setval(pg_get_serial_sequence(named, 'id'), \
                   GREATEST(last, pg_sequence_last_value(CAST(pg_get_serial_sequence(named, 'id') AS regclass))))) \
                 FROM (SELECT 'users' AS named, GREATEST((SELECT max(id) FROM users WHERE id < ",
                high_id!(),
                "), (SELECT max(id) FROM deleted_users WHERE id < ",
                high_id!(),
                ")) AS last UNION ALL SELECT 'permissions', max(id) FROM permissions WHERE id < ",
                high_id!(),
                " UNION ALL SELECT 'groups', GREATEST((SELECT max(id) FROM groups WHERE id < ",
                high_id!(),
                "), (SELECT max(id) FROM deleted_groups WHERE id < ",
                high_id!(),
                "))",
                " UNION ALL SELECT 'tokens', max(id) FROM tokens WHERE id < ",
                high_id!(),
                ") highest WHERE last IS NOT NULL"
            ),
        ));
        self.first::<i64>(&sql)?;
        Ok(())
    }
}
