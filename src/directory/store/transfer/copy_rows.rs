//! Carrying every row of a directory into another database, and proving that each arrived.

use super::tables::{TABLES, Table};
use crate::database::DatabaseError;
use crate::database::{Link, Tx};
use crate::database::{Sql, Value};
use crate::directory::error::Error;
use crate::directory::progress::{Progress, Stage};
use crate::directory::store::changes;
use crate::directory::transfer_error::TransferError;

/// Puts all rows of `from` in the place of all rows of `to`, whose transaction has begun and whose triggers are
/// off. Ids that were ever handed out on either side are not handed out again.
pub(in crate::directory::store) fn carry(
    from: &Tx<'_>,
    to: &Link,
    progress: &Progress,
) -> Result<(), TransferError> {
    let there = Tx::new(to);
    for table in TABLES.iter().rev() {
        let mut sql = Sql::new("DELETE FROM ");
        there.execute(sql.push(table.name))?;
    }
    for table in TABLES {
        let mut count = 0;
        for page in table.pages(from) {
            let page = page?;
            count += page.len() as u64;
            let first = page.first().map(|row| table.name_of(row)).unwrap_or_default();
            table.insert(to, page).map_err(|error| TransferError::Rows {
                table: table.name,
                from: first,
                source: error.into(),
            })?;
            progress.report(Stage::Copying, table.name, count)?;
        }
    }
    Ok(keep_counting(&there, from)?)
}

/// Makes the next ids of `tx` higher than any that either side ever handed out.
pub(in crate::directory::store) fn keep_counting(tx: &Tx<'_>, other: &Tx<'_>) -> Result<(), DatabaseError> {
    for table in TABLES.iter().filter(|table| table.numbered) {
        count_on_from(tx, table, highest_id(tx, table)?.max(highest_id(other, table)?))?;
    }
    Ok(())
}

/// Reads every row on both sides and tells how many there are of each table; the first difference is an error.
pub(in crate::directory::store) fn compare(
    from: &Tx<'_>,
    to: &Tx<'_>,
    progress: &Progress,
) -> Result<Vec<(&'static str, u64)>, TransferError> {
    TABLES.iter().map(|table| Ok((table.name, compare_table(table, from, to, progress)?))).collect()
}

fn compare_table(
    table: &'static Table,
    from: &Tx<'_>,
    to: &Tx<'_>,
    progress: &Progress,
) -> Result<u64, TransferError> {
    let (mut here, mut there) = (table.pages(from), table.pages(to));
    let mut count = 0;
    loop {
        let (ours, theirs) = (here.next().transpose()?, there.next().transpose()?);
        if ours.is_none() && theirs.is_none() {
            return Ok(count);
        }
        let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
        if let Some(row) = first_difference(&ours, &theirs) {
            return Err(TransferError::Differs { table: table.name, key: table.name_of(row) });
        }
        count += ours.len() as u64;
        progress.report(Stage::Comparing, table.name, count)?;
    }
}

/// The first row that is not the same in both pages: ours, or theirs where we have none.
fn first_difference<'a>(ours: &'a [Vec<Value>], theirs: &'a [Vec<Value>]) -> Option<&'a [Value]> {
    let longest = ours.len().max(theirs.len());
    let place = (0..longest).find(|place| ours.get(*place) != theirs.get(*place))?;
    ours.get(place).or_else(|| theirs.get(place)).map(Vec::as_slice)
}

/// The highest id that the database ever handed out, or was given, for a table.
fn highest_id(tx: &Tx<'_>, table: &Table) -> Result<i64, DatabaseError> {
    let mut sql = Sql::new(tx.either(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = ",
        "SELECT greatest(coalesce(pg_sequence_last_value(pg_get_serial_sequence(",
    ));
    sql.push_arg(table.name);
    sql.push(tx.either(
        "), 0), coalesce((SELECT max(id) FROM ",
        ", 'id')::regclass), 0), coalesce((SELECT max(id) FROM ",
    ));
    sql.push(table.name).push("), 0))");
    Ok(tx.first(&sql)?.unwrap_or_default())
}

/// Makes the next id of a table the one after `id`.
fn count_on_from(tx: &Tx<'_>, table: &Table, id: i64) -> Result<(), DatabaseError> {
    if let Link::Sqlite(_) = tx.link() {
        tx.execute(&Sql::new("DELETE FROM sqlite_sequence WHERE name = $1").bind(table.name))?;
        tx.execute(
            &Sql::new("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)").bind(table.name).bind(id),
        )?;
        return Ok(());
    }
    let sql = "SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2::bigint, 1), $2::bigint > 0)";
    tx.first::<i64>(&Sql::new(sql).bind(table.name).bind(id)).map(|_| ())
}

/// Turns the triggers off that write the feed of changes and SQLite's search index, or on again. Rows by the
/// million would write millions of notes; one that everything has changed says as much.
pub(in crate::directory::store) fn set_triggers(link: &Link, on: bool) -> Result<(), DatabaseError> {
    if let Link::Sqlite(connection) = link {
        connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, on)?;
        return Ok(());
    }
    for table in TABLES {
        let mut sql = Sql::new("ALTER TABLE ");
        sql.push(table.name).push(if on { " ENABLE TRIGGER USER" } else { " DISABLE TRIGGER USER" });
        link.batch(sql.text())?;
    }
    Ok(())
}

/// Gathers PostgreSQL's statistics, without which it would read whole tables for a while.
pub(in crate::directory::store) fn analyze(link: &Link) -> Result<(), DatabaseError> {
    for table in TABLES {
        let mut sql = Sql::new("ANALYZE ");
        link.batch(sql.push(table.name).text())?;
    }
    Ok(())
}

/// What tells whether a directory has changed: the end of its audit trail and of its feed of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct State {
    audit_head: Vec<u8>,
    last_change: Option<changes::Noted>,
}

impl Tx<'_> {
    /// The state of the directory as this transaction sees it.
    pub(in crate::directory) fn state(&self) -> Result<State, Error> {
        let last_change = self.first(&changes::last())?;
        Ok(State { audit_head: self.audit_head()?, last_change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Backend;
    use crate::directory::store::Store;
    use crate::directory::store::testing::on_both;

    /// Whatever differs, wherever it is, is found and named.
    #[tokio::test(flavor = "multi_thread")]
    async fn each_difference_is_found() {
        let names = "INSERT INTO groups (name, name_key, notes, created_at, updated_at, search_key) VALUES ('a', 'a', 'x', 0, 0, ''), \
             ('b', 'b', 'x', 0, 0, '')";
        on_both(async |settings| {
            let store = Store::open(&settings).await.unwrap();
            let place = tempfile::tempdir().unwrap();
            let other = crate::directory::Location::Sqlite(place.path().join("other"));
            store.write(move |tx| Ok(tx.execute(&Sql::new(names))?)).await.unwrap();
            let progress = Progress::default();
            store.carry_to(other.clone(), crate::directory::model::Timestamp::EPOCH, progress).await.unwrap();
            for (change, back, told) in [
                (
                    "UPDATE groups SET notes = 'X' WHERE id = 2",
                    "UPDATE groups SET notes = 'x'",
                    "table groups: the row of id 2 ",
                ),
                (
                    "UPDATE groups SET id = 3 WHERE id = 2",
                    "UPDATE groups SET id = 2 WHERE id = 3",
                    "table groups: the row of id 2 ",
                ),
                (
                    "INSERT INTO attempts VALUES (x'00ff', 1, 2, 3)",
                    "DELETE FROM attempts",
                    "table attempts: the row of key 00ff ",
                ),
                ("DELETE FROM permissions WHERE id = 14", "SELECT 1", "table permissions: the row of id 14 "),
            ] {
                let other =
                    Backend::at(&other, 1, std::time::Duration::from_secs(5)).unwrap().link().unwrap();
                other.batch(change).unwrap();
                let found = store
                    .snapshot(move |tx| {
                        let found = compare(tx, &Tx::new(&other), &Progress::default());
                        other.batch(back)?;
                        Ok(found.err().map(|trouble| trouble.to_string()))
                    })
                    .await;
                let found = found.unwrap().unwrap_or_else(|| panic!("{change} was not found"));
                assert!(found.starts_with(told), "{change}: {found}");
            }
        })
        .await;
    }
}
