//! A directory's way into another database.

use std::time::Duration;

use super::copy_rows::{DatabaseState, compare_rows, copy_rows};
use super::new_database::NewDatabase;
use crate::directory::Location;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::Store;
use crate::directory::store::tx::Tx;
use crate::directory::transfer_error::TransferError;

/// What arrived.
pub(in crate::directory) struct DatabaseCopy {
    /// Rows of each table.
    pub(in crate::directory) tables: Vec<(&'static str, u64)>,
    /// The state that was carried over.
    pub(in crate::directory) state: DatabaseState,
}

impl Store {
    /// Makes a new database of all rows as they are at one moment, and compares each row before it counts.
    pub(in crate::directory) async fn copy_to_database(
        &self,
        place: Location,
        now: Timestamp,
        progress: Progress,
    ) -> Result<DatabaseCopy, TransferError> {
        let patience = self.backend.patience();
        self.snapshot(move |tx| Ok(copy_database(tx, &place, patience, now, &progress))).await?
    }

    /// The state of the directory now.
    pub(in crate::directory) async fn state(&self) -> Result<DatabaseState, Error> {
        self.snapshot(|tx| tx.state()).await
    }
}

/// Makes a new database of all rows that `from` sees.
pub(super) fn copy_database(
    from: &Tx<'_>,
    place: &Location,
    patience: Duration,
    now: Timestamp,
    progress: &Progress,
) -> Result<DatabaseCopy, TransferError> {
    let mut fresh = NewDatabase::begin(place, patience, now).map_err(at_the_destination)?;
    copy_rows(from, fresh.link()?, progress)?;
    fresh.finish_filling()?;
    let tables = compare_rows(from, &Tx::new(fresh.link()?), progress)?;
    fresh.finish()?;
    Ok(DatabaseCopy { tables, state: from.state()? })
}

fn at_the_destination(trouble: TransferError) -> TransferError {
    match trouble {
        TransferError::Open(error) => TransferError::Destination(error),
        other => other,
    }
}
