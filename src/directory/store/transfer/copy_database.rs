//! A directory's way into another database.

use std::time::Duration;

use super::copy_rows::{State, carry, compare};
use super::new_database::Fresh;
use crate::database::Tx;
use crate::directory::Location;
use crate::directory::error::Error;
use crate::directory::model::Timestamp;
use crate::directory::progress::Progress;
use crate::directory::store::Store;
use crate::directory::transfer_error::TransferError;

/// What arrived.
pub(in crate::directory) struct Arrived {
    /// Rows of each table.
    pub(in crate::directory) tables: Vec<(&'static str, u64)>,
    /// The state that was carried over.
    pub(in crate::directory) state: State,
}

impl Store {
    /// Makes a new database of all rows as they are at one moment, and compares each row before it counts.
    pub(in crate::directory) async fn carry_to(
        &self,
        place: Location,
        now: Timestamp,
        progress: Progress,
    ) -> Result<Arrived, TransferError> {
        let patience = self.backend.timeout();
        self.snapshot(move |tx| Ok(arrive(tx, &place, patience, now, &progress))).await?
    }

    /// The state of the directory now.
    pub(in crate::directory) async fn state(&self) -> Result<State, Error> {
        self.snapshot(|tx| tx.state()).await
    }
}

/// Makes a new database of all rows that `from` sees.
pub(in crate::directory::store) fn arrive(
    from: &Tx<'_>,
    place: &Location,
    patience: Duration,
    now: Timestamp,
    progress: &Progress,
) -> Result<Arrived, TransferError> {
    let mut fresh = Fresh::begin(place, patience, now).map_err(at_the_destination)?;
    carry(from, fresh.link()?, progress)?;
    fresh.fill_up()?;
    let tables = compare(from, &Tx::new(fresh.link()?), progress)?;
    fresh.finish()?;
    Ok(Arrived { tables, state: from.state()? })
}

fn at_the_destination(trouble: TransferError) -> TransferError {
    match trouble {
        TransferError::Open(error) => TransferError::Destination(error),
        other => other,
    }
}
