//! Copying a whole database into a new one.

use std::time::Duration;

use super::copy_rows::{DatabaseState, compare_rows, copy_rows};
use super::new_database::NewDatabase;
use crate::database::Tx;
use crate::directory::Location;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::Store;
use crate::directory::transfer_error::TransferError;

/// What was copied.
pub(in crate::directory) struct DatabaseCopy {
    /// The number of rows of each table.
    pub(in crate::directory) tables: Vec<(&'static str, u64)>,
    /// The state that was copied.
    pub(in crate::directory) state: DatabaseState,
}

impl Store {
    /// Copies all rows as of one moment into a new database, and compares each row before the copy is kept.
    pub(in crate::directory) async fn copy_to_database(
        &self,
        destination: Location,
        now: Timestamp,
        progress: Progress,
    ) -> Result<DatabaseCopy, TransferError> {
        let timeout = self.backend.timeout();
        self.snapshot(move |tx| Ok(copy_database(tx, &destination, timeout, now, &progress))).await?
    }

    /// Returns the present state of the database.
    pub(in crate::directory) async fn state(&self) -> Result<DatabaseState, Error> {
        self.snapshot(|tx| tx.state()).await
    }
}

/// Copies all rows that `from` sees into a new database.
pub(super) fn copy_database(
    from: &Tx<'_>,
    destination: &Location,
    timeout: Duration,
    now: Timestamp,
    progress: &Progress,
) -> Result<DatabaseCopy, TransferError> {
    let mut new = NewDatabase::begin(destination, timeout, now).map_err(destination_error)?;
    copy_rows(from, new.link()?, progress)?;
    new.finish_filling()?;
    let tables = compare_rows(from, &Tx::new(new.link()?), progress)?;
    new.finish()?;
    Ok(DatabaseCopy { tables, state: from.state()? })
}

fn destination_error(error: TransferError) -> TransferError {
    match error {
        TransferError::Open(error) => TransferError::Destination(error),
        other => other,
    }
}
