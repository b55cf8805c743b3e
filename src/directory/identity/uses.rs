//! When tokens were used and people were seen: gathered in memory, written in batches.
//!
//! A read never writes, so this is the one thing that may be lost: what was gathered since the last
//! [`Directory::write_uses`] when a process ends without it, and uses beyond [`MOST`] between two of them.
//! Nothing of it decides whether a token is good.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::model::{Moment, TokenId, UserId};

/// Tokens whose uses are remembered between two writes; about 64 bytes each.
const MOST: usize = 100_000;
/// Uses written in one transaction, so that other writers need not wait long.
const BATCH: usize = 500;

/// The last use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct Use {
    pub(in crate::directory) token: TokenId,
    pub(in crate::directory) user: UserId,
    pub(in crate::directory) at: Moment,
    pub(in crate::directory) from: IpAddr,
}

/// Uses that are not written yet.
#[derive(Default)]
pub(in crate::directory) struct Uses(Mutex<HashMap<i64, Use>>);

impl Uses {
    pub(super) fn note(&self, used: Use) {
        let mut uses = self.lock();
        if uses.len() < MOST || uses.contains_key(&used.token.get()) {
            uses.insert(used.token.get(), used);
        }
    }

    /// In the order of the tokens: rows that lie together are written together.
    fn take(&self) -> Vec<Use> {
        let mut uses: Vec<_> = std::mem::take(&mut *self.lock()).into_values().collect();
        uses.sort_unstable_by_key(|used| used.token.get());
        uses
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// Writes down the uses gathered since the last time. What cannot be written is lost: the next uses will
    /// say the same.
    pub async fn write_uses(&self) -> Result<(), Error> {
        let uses = self.uses.take();
        for batch in uses.chunks(BATCH).map(<[_]>::to_vec) {
            self.store.write(move |tx| tx.write_uses(&batch)).await?;
        }
        if !uses.is_empty() {
            self.store.write(|tx| tx.prune_changes()).await?;
        }
        Ok(())
    }
}
