//! Counting the encodings of the stored passwords, for the decoys that unknown names are compared with.
//!
//! The passwords are read page by page, in the background: a million users take a second or two. Only the algorithm and
//! the parameters of a password are kept.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::Hasher;
use super::decoys::{Decoys, DrawKey, EncodingCounts};
use crate::directory::clock::Clock;
use crate::directory::error::Error;
use crate::directory::store::Store;
use crate::directory::store::encodings::{self, DecoyKey, StoredPassword};

/// The number of users read at once.
const PAGE: i64 = 2000;

impl Hasher {
    /// Counts the encodings of all stored passwords. From then on unknown names are compared with decoys drawn from them.
    pub(in crate::directory) async fn count_encodings(
        &self,
        store: &Store,
        clock: &Clock,
    ) -> Result<(), Error> {
        self.begin_count();
        let counted = decoys(store, clock).await;
        self.end_count(counted.as_ref().ok());
        counted.map(|_| ())
    }
}

async fn decoys(store: &Store, clock: &Clock) -> Result<Arc<Decoys>, Error> {
    let key = decoy_key(store, clock).await?;
    let (mut counts, mut last) = (EncodingCounts::default(), 0);
    loop {
        let page: Vec<StoredPassword> = store.all(encodings::stored_after(last, PAGE)).await?;
        let Some(end) = page.last().map(|stored| stored.id) else { break };
        for stored in page {
            counts.add(&Zeroizing::new(stored.password));
        }
        last = end;
    }
    Ok(Arc::new(Decoys::new(key, counts)))
}

/// Returns the key of this database, the same in every process and after every restart. It is created on first use.
async fn decoy_key(store: &Store, clock: &Clock) -> Result<DrawKey, Error> {
    let kept: Option<DecoyKey> = store.first(encodings::decoy_key()).await?;
    let key = match kept {
        Some(key) => key,
        None => keep_decoy_key(store, clock.secret()?).await?,
    };
    Ok(Zeroizing::new(key.0))
}

/// Stores a new key, or returns the one that another process has stored meanwhile.
async fn keep_decoy_key(store: &Store, new: [u8; 32]) -> Result<DecoyKey, Error> {
    let new = Zeroizing::new(new);
    store.write(move |tx| tx.keep_decoy_key(&new)).await
}

#[cfg(test)]
mod tests;
