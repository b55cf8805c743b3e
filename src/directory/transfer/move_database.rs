//! Moving a whole directory into another database: from SQLite to PostgreSQL, and back.

use crate::directory::access::{Action, Actor, authorize};
use crate::directory::progress::Progress;
use crate::directory::transfer_error::TransferError;
use crate::directory::{Directory, Location};

/// What was moved.
#[derive(Clone, Debug)]
pub struct Moved {
    /// How many rows of each table were written, read again on both sides, and found the same.
    pub tables: Vec<(&'static str, u64)>,
    /// Whether somebody changed the directory here while it was moved: that is not over there.
    pub left_behind: bool,
}

impl Directory {
    /// Makes a new directory at `to` with everything that is in this one, as it is at one moment, and compares
    /// every row. Here nothing is changed.
    ///
    /// What is left here: the feed of changes and the counts of rates, which are of no use elsewhere.
    pub async fn move_to(
        &self,
        actor: &Actor,
        to: Location,
        progress: Progress,
    ) -> Result<Moved, TransferError> {
        authorize(actor, Action::CarryDirectory)?;
        let arrived = self.store.carry_to(to, self.clock.now(), progress).await?;
        let left_behind = self.store.state().await? != arrived.state;
        Ok(Moved { tables: arrived.tables, left_behind })
    }
}
