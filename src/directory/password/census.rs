//! Counts which encodings the directory's passwords have, for the decoys that unknown names are compared with.
//!
//! Read page by page and beside everything else: a million users take a second or two, and no request reads any of it.
//! What is kept of a password is its algorithm and parameters.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use zeroize::Zeroizing;

use super::decoys::{Census, Decoys, Key};
use super::{Encoded, Hasher};
use crate::directory::Directory;
use crate::directory::error::Error;
use crate::directory::store::encodings::{self, DecoyKey, Stored};

/// Users read at once.
const PAGE: i64 = 2000;
/// The longest that a sign-in waits for the first count.
const FIRST_COUNT: Duration = Duration::from_secs(5);

/// Where the decoys of unknown names come from.
#[derive(Clone, Default)]
pub(super) enum Source {
    /// Nobody has counted: decoys have our own parameters.
    #[default]
    Ours,
    /// The first count is under way, and sign-ins wait for it.
    Counting,
    /// What was counted last.
    Counted(Arc<Decoys>),
}

impl Directory {
    /// Counts the encodings of all stored passwords. From then on unknown names are compared with decoys that are drawn
    /// from them, so that they take the time that users take. A server does this when it starts, and again and again.
    pub async fn count_encodings(&self) -> Result<(), Error> {
        self.expect_count();
        let counted = self.decoys().await;
        self.hasher.end_count(counted.as_ref().ok());
        counted.map(|_| ())
    }

    /// Lets sign-ins wait for a first count that is about to begin.
    pub fn expect_count(&self) {
        self.hasher.begin_count();
    }

    async fn decoys(&self) -> Result<Arc<Decoys>, Error> {
        let key = self.decoy_key().await?;
        let (mut census, mut last) = (Census::default(), 0);
        loop {
            let page: Vec<Stored> = self.store.all(encodings::stored_after(last, PAGE)).await?;
            let Some(end) = page.last().map(|stored| stored.id) else { break };
            for stored in page {
                census.add(&Zeroizing::new(stored.password));
            }
            last = end;
        }
        Ok(Arc::new(Decoys::new(key, census)))
    }

    /// The key of this directory, the same for every process and after every start. Made when it is first wanted.
    async fn decoy_key(&self) -> Result<Key, Error> {
        let kept: Option<DecoyKey> = self.store.first(encodings::decoy_key()).await?;
        let key = match kept {
            Some(key) => key,
            None => self.keep_decoy_key(self.clock.secret()?).await?,
        };
        Ok(Zeroizing::new(key.0))
    }

    /// Keeps a new key, or finds the one that another process kept meanwhile.
    async fn keep_decoy_key(&self, new: [u8; 32]) -> Result<DecoyKey, Error> {
        let new = Zeroizing::new(new);
        self.store.write(move |tx| tx.keep_decoy_key(&new)).await
    }
}

impl Hasher {
    fn begin_count(&self) {
        self.decoys.send_if_modified(|source| {
            let first = matches!(source, Source::Ours);
            if first {
                *source = Source::Counting;
            }
            first
        });
    }

    /// A count that failed leaves what there was.
    fn end_count(&self, decoys: Option<&Arc<Decoys>>) {
        self.decoys.send_modify(|source| match (decoys, &source) {
            (Some(decoys), _) => *source = Source::Counted(Arc::clone(decoys)),
            (None, Source::Counting) => *source = Source::Ours,
            (None, _) => {}
        });
    }

    /// The decoy of a name. Whoever signs in waits for a first count, also those with a password that can be read.
    pub(super) async fn decoy(&self, name: &str) -> Result<Arc<Encoded>, Error> {
        let mut source = self.decoys.subscribe();
        let counted = source.wait_for(|source| !matches!(source, Source::Counting));
        let decoys = match timeout(FIRST_COUNT, counted).await.ok().and_then(Result::ok).as_deref() {
            Some(Source::Counted(decoys)) => Some(Arc::clone(decoys)),
            _ => None,
        };
        match decoys.and_then(|decoys| decoys.draw(name)) {
            Some(decoy) => Ok(decoy),
            None => Ok(Arc::new(Encoded::Argon2(super::Hash::decoy()?))),
        }
    }
}

#[cfg(test)]
mod tests;
