//! Moving the account database to another one: from SQLite to PostgreSQL, or back.

use crate::directory::access::{Action, Actor, authorize};
use crate::directory::progress::Progress;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Directory, Location};

/// What was moved.
#[derive(Clone, Debug)]
pub struct MoveReport {
    /// The number of rows of each table. Each row was read again in both databases and compared.
    pub tables: Vec<(&'static str, u64)>,
    /// Whether the database was changed during the move. Those changes are not in the new one.
    pub left_behind: bool,
}

impl Directory {
    /// Copies everything as of one moment to a new database at `to`, and compares every row. This database is not changed.
    ///
    /// The change feed and the rate limit counters are not copied. They have no meaning elsewhere.
    pub async fn move_to(
        &self,
        actor: &Actor,
        to: Location,
        progress: Progress,
    ) -> Result<MoveReport, TransferError> {
        authorize(actor, Action::CarryDirectory)?;
        let copy = self.store.copy_to_database(to, self.clock.now(), progress).await?;
        let left_behind = self.store.state().await? != copy.state;
        Ok(MoveReport { tables: copy.tables, left_behind })
    }
}
