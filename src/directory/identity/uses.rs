//! When tokens were used and users were seen: collected in memory, written in batches.
//!
//! A read never writes, so uses may be lost: those since the last [`TokenUses::write`] when a process ends without it, and
//! those beyond [`UNWRITTEN_MAX`] between two of them. They decide one thing only: when an unused sign-in ends, if the
//! setting says so. `IDLE_GRACE` allows for that.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::directory::error::Error;
use crate::directory::model::{Timestamp, TokenId, TokenUse};
use crate::directory::store::Store;

/// Tokens whose uses are kept between two writes; about 64 bytes each.
const UNWRITTEN_MAX: usize = 100_000;
/// Uses written in one transaction, so that other writers do not wait long.
const BATCH: usize = 500;

/// Uses that are not written yet.
#[derive(Default)]
pub(super) struct TokenUses(Mutex<HashMap<i64, TokenUse>>);

impl TokenUses {
    /// Notes a use. Returns false when there is no room for it.
    #[must_use]
    pub(super) fn note(&self, used: TokenUse) -> bool {
        let mut uses = self.lock();
        let has_room = uses.len() < UNWRITTEN_MAX || uses.contains_key(&used.token.get());
        if has_room {
            uses.insert(used.token.get(), used);
        }
        has_room
    }

    /// Returns when a token was last used, if that is not written yet.
    pub(super) fn last(&self, token: TokenId) -> Option<Timestamp> {
        self.lock().get(&token.get()).map(|used| used.at)
    }

    /// Writes the uses noted since the last call. A use that cannot be written is kept for the next call.
    pub(super) async fn write(&self, store: &Store) -> Result<(), Error> {
        let uses = self.take();
        for (done, batch) in uses.chunks(BATCH).enumerate() {
            let batch = batch.to_vec();
            if let Err(error) = store.write(move |tx| tx.write_uses(&batch)).await {
                self.put_back(uses.get(done * BATCH..).unwrap_or_default());
                return Err(error);
            }
        }
        if !uses.is_empty() {
            store.write(|tx| tx.prune_changes()).await?;
        }
        Ok(())
    }

    /// Puts back uses that could not be written, except of tokens that were used again since.
    fn put_back(&self, unwritten: &[TokenUse]) {
        let mut uses = self.lock();
        for used in unwritten {
            if uses.len() < UNWRITTEN_MAX {
                uses.entry(used.token.get()).or_insert(*used);
            }
        }
    }

    /// Takes all uses, ordered by token: neighbouring rows are written together.
    fn take(&self) -> Vec<TokenUse> {
        let mut uses: Vec<_> = std::mem::take(&mut *self.lock()).into_values().collect();
        uses.sort_unstable_by_key(|used| used.token.get());
        uses
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, TokenUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
