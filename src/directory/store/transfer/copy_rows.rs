//! Copying all rows of a database into another one, and comparing them afterwards.

use super::tables::{TABLES, TableSpec};
use crate::database::{DatabaseError, Link, Sql, Tx, Value};
use crate::directory::error::Error;
use crate::directory::progress::{Progress, Stage};
use crate::directory::store::changes;
use crate::directory::store::new_ids::high_id;
use crate::directory::store::triggers::TriggersOff;
use crate::directory::transfer_error::TransferError;

/// Replaces all rows of `to` with the rows of `from`. A transaction on `to` has begun, and its triggers are off. An id
/// that either database ever assigned is not assigned again.
pub(super) fn copy_rows(from: &Tx<'_>, to: &Link, progress: &Progress) -> Result<(), TransferError> {
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
    Ok(advance_ids(&there, from)?)
}

/// Makes the next ids of `tx` higher than any that either database ever assigned.
pub(super) fn advance_ids(tx: &Tx<'_>, other: &Tx<'_>) -> Result<(), DatabaseError> {
    for table in TABLES.iter().filter(|table| table.numbered) {
        set_next_id(tx, table, highest_id(tx, table)?.max(highest_id(other, table)?))?;
    }
    Ok(())
}

/// Compares all rows of both databases and returns the number of rows of each table. The first difference is an error.
pub(super) fn compare_rows(
    from: &Tx<'_>,
    to: &Tx<'_>,
    progress: &Progress,
) -> Result<Vec<(&'static str, u64)>, TransferError> {
    TABLES.iter().map(|table| Ok((table.name, compare_table(table, from, to, progress)?))).collect()
}

fn compare_table(
    table: &'static TableSpec,
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

/// Returns the first row that differs between two pages: ours, or theirs where ours has none.
fn first_difference<'a>(ours: &'a [Vec<Value>], theirs: &'a [Vec<Value>]) -> Option<&'a [Value]> {
    let longest = ours.len().max(theirs.len());
    let index = (0..longest).find(|index| ours.get(*index) != theirs.get(*index))?;
    ours.get(index).or_else(|| theirs.get(index)).map(Vec::as_slice)
}

/// Returns the highest id that a table ever had, of those that new ids follow.
fn highest_id(tx: &Tx<'_>, table: &TableSpec) -> Result<i64, DatabaseError> {
    let mut sql = Sql::new(tx.either(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = ",
        "SELECT greatest(coalesce(pg_sequence_last_value(pg_get_serial_sequence(",
    ));
    sql.push_arg(table.name);
    sql.push(tx.either(
        concat!(" AND seq < ", high_id!(), "), 0), coalesce((SELECT max(id) FROM "),
        ", 'id')::regclass), 0), coalesce((SELECT max(id) FROM ",
    ));
    sql.push(table.name).push(concat!(" WHERE id < ", high_id!(), "), 0))"));
    Ok(tx.first(&sql)?.unwrap_or_default())
}

/// Makes `id + 1` the next id of a table.
fn set_next_id(tx: &Tx<'_>, table: &TableSpec, id: i64) -> Result<(), DatabaseError> {
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

/// Switches the triggers of all tables off.
pub(super) fn switch_triggers_off(link: &Link) -> Result<TriggersOff, DatabaseError> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    TriggersOff::begin(link, &names)
}

/// Updates PostgreSQL's statistics. Without them it would scan whole tables for a while.
pub(super) fn analyze(link: &Link) -> Result<(), DatabaseError> {
    for table in TABLES {
        let mut sql = Sql::new("ANALYZE ");
        link.batch(sql.push(table.name).text())?;
    }
    Ok(())
}

/// Identifies the state of a database: the ends of its audit trail and of its change feed. Any change moves one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) struct DatabaseState {
    audit_head: Vec<u8>,
    last_change: Option<changes::FeedRow>,
}

impl Tx<'_> {
    /// Returns the state that this transaction sees.
    pub(in crate::directory) fn state(&self) -> Result<DatabaseState, Error> {
        let last_change = self.first(&changes::last())?;
        Ok(DatabaseState { audit_head: self.audit_head()?, last_change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Backend;
    use crate::directory::store::Store;
    use crate::directory::store::testing::on_both;

    /// Every difference is found and named, in any table.
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
            store
                .copy_to_database(other.clone(), crate::directory::model::Timestamp::EPOCH, progress)
                .await
                .unwrap();
            for (change, back, expected) in [
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
                        let found = compare_rows(tx, &Tx::new(&other), &Progress::default());
                        other.batch(back)?;
                        Ok(found.err().map(|error| error.to_string()))
                    })
                    .await;
                let found = found.unwrap().unwrap_or_else(|| panic!("{change} was not found"));
                assert!(found.starts_with(expected), "{change}: {found}");
            }
        })
        .await;
    }
}
