//! When tokens were used and people were seen: gathered in memory, written in batches.
//!
//! A read never writes, so this is the one thing that may be lost: what was gathered since the last
//! [`Directory::write_uses`] when a process ends without it, and uses beyond [`MOST`] between two of them.
//! All that it decides is when a sign-in ends that nobody uses, if the setting says so; see `IDLE_GRACE`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::identity::CachedIdentity;
use crate::directory::model::{Identity, Timestamp, TokenId, TokenUse};

/// Tokens whose uses are remembered between two writes; about 64 bytes each.
const MOST: usize = 100_000;
/// Uses written in one transaction, so that other writers need not wait long.
const BATCH: usize = 500;

/// Uses that are not written yet.
#[derive(Default)]
pub(in crate::directory) struct Uses(Mutex<HashMap<i64, TokenUse>>);

impl Uses {
    /// False when there is no room for it.
    #[must_use]
    pub(super) fn note(&self, used: TokenUse) -> bool {
        let mut uses = self.lock();
        let has_room = uses.len() < MOST || uses.contains_key(&used.token.get());
        if has_room {
            uses.insert(used.token.get(), used);
        }
        has_room
    }

    /// When a token was last used, if that is not written yet.
    pub(super) fn last(&self, token: TokenId) -> Option<Timestamp> {
        self.lock().get(&token.get()).map(|used| used.at)
    }

    /// Takes back what could not be written, but for tokens that were used again since.
    fn take_back(&self, unwritten: &[TokenUse]) {
        let mut uses = self.lock();
        for used in unwritten {
            if uses.len() < MOST {
                uses.entry(used.token.get()).or_insert(*used);
            }
        }
    }

    /// In the order of the tokens: rows that lie together are written together.
    fn take(&self) -> Vec<TokenUse> {
        let mut uses: Vec<_> = std::mem::take(&mut *self.lock()).into_values().collect();
        uses.sort_unstable_by_key(|used| used.token.get());
        uses
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, TokenUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// Notes that a token was used, to be written later; once a minute for each that is kept in memory.
    pub fn note_use(&self, known: &CachedIdentity, at: Timestamp, from: impl FnOnce() -> IpAddr) {
        if known.is_news(at)
            && !self.uses.note(TokenUse { token: known.token, user: known.user, at, from: from() })
        {
            known.is_news_again();
        }
    }

    /// The same of an identity that was just confirmed.
    pub fn note_use_of(&self, identity: &Identity, from: IpAddr) {
        let at = self.clock.now();
        let _ = self.uses.note(TokenUse { token: identity.token.id, user: identity.user.id, at, from });
    }

    /// Writes down the uses gathered since the last time. What cannot be written is kept for the next time.
    pub async fn write_uses(&self) -> Result<(), Error> {
        let uses = self.uses.take();
        for (done, batch) in uses.chunks(BATCH).enumerate() {
            let batch = batch.to_vec();
            if let Err(error) = self.store.write(move |tx| tx.write_uses(&batch)).await {
                self.uses.take_back(uses.get(done * BATCH..).unwrap_or_default());
                return Err(error);
            }
        }
        if !uses.is_empty() {
            self.store.write(|tx| tx.prune_changes()).await?;
        }
        Ok(())
    }
}
