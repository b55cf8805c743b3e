//! Counting the encodings of the stored passwords, for the decoys that unknown names are compared with.
//!
//! The passwords are read page by page, in the background: a million users take a second or two. Only the algorithm and
//! the parameters of a password are kept.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::decoys::{Decoys, DrawKey, EncodingCounts};
use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::store::encodings::{self, DecoyKey, StoredPassword};

/// The number of users read at once.
const PAGE: i64 = 2000;

impl Directory {
    /// Counts the encodings of all stored passwords. From then on unknown names are compared with decoys drawn from them,
    /// so that refusing an unknown name takes as long as refusing a user. A server counts when it starts, and regularly
    /// afterwards.
    pub async fn count_encodings(&self) -> Result<(), Error> {
        self.expect_count();
        let counted = self.decoys().await;
        self.hasher.end_count(counted.as_ref().ok());
        counted.map(|_| ())
    }

    /// Makes sign-ins wait for a first count that is about to begin.
    pub fn expect_count(&self) {
        self.hasher.begin_count();
    }

    async fn decoys(&self) -> Result<Arc<Decoys>, Error> {
        let key = self.decoy_key().await?;
        let (mut counts, mut last) = (EncodingCounts::default(), 0);
        loop {
            let page: Vec<StoredPassword> = self.store.all(encodings::stored_after(last, PAGE)).await?;
            let Some(end) = page.last().map(|stored| stored.id) else { break };
            for stored in page {
                counts.add(&Zeroizing::new(stored.password));
            }
            last = end;
        }
        Ok(Arc::new(Decoys::new(key, counts)))
    }

    /// Returns the key of this database, the same in every process and after every restart. It is created on first use.
    async fn decoy_key(&self) -> Result<DrawKey, Error> {
        let kept: Option<DecoyKey> = self.store.first(encodings::decoy_key()).await?;
        let key = match kept {
            Some(key) => key,
            None => self.keep_decoy_key(self.clock.secret()?).await?,
        };
        Ok(Zeroizing::new(key.0))
    }

    /// Stores a new key, or returns the one that another process has stored meanwhile.
    async fn keep_decoy_key(&self, new: [u8; 32]) -> Result<DecoyKey, Error> {
        let new = Zeroizing::new(new);
        self.store.write(move |tx| tx.keep_decoy_key(&new)).await
    }
}

#[cfg(test)]
mod tests;
