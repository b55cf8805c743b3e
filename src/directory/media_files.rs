//! Which uploaded avatars no user has, and when their files may be removed.
//!
//! Names of avatars are also written by imports, restores and an operator's own SQL. So users are compared with the files
//! that exist, and nothing here relies on having seen a change. A file is removed only after a transaction has found that no
//! user has it; from then on no user can get it until the files are gone.
//!
//! Never in here: files.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Directory;
use super::error::Error;

/// The avatars whose removal begins in one transaction.
pub const REMOVED_AT_ONCE: usize = 50;
/// How long a process may take to remove the files of the avatars that it was given at once. After four times that, another
/// process may take them over.
pub const REMOVAL_LIMIT: Duration = Duration::from_mins(10);

/// A comparison of the files that exist with the users. Give it every full picture, then finish it.
pub struct MediaComparison {
    /// The avatars of deleted users.
    in_bin: BTreeSet<String>,
    /// The recorded avatars that have not been met yet.
    unmet: BTreeSet<String>,
}

impl Directory {
    /// Begins a comparison.
    pub async fn compare_media(&self) -> Result<MediaComparison, Error> {
        let read = self.store.snapshot(|tx| Ok((tx.avatars_in_bin()?, tx.unreferenced()?)));
        let (in_bin, recorded) = read.await?;
        Ok(MediaComparison { in_bin, unmet: recorded.into_iter().collect() })
    }

    /// Compares the names of some full pictures, and records those that no user has.
    pub async fn compare_some(
        &self,
        comparison: &mut MediaComparison,
        names: Vec<String>,
    ) -> Result<(), Error> {
        let asked = names.clone();
        let named = self.store.snapshot(move |tx| tx.avatars_among(&asked)).await?;
        let is_named = |name: &String| named.contains(name) || comparison.in_bin.contains(name);
        let (referenced, unreferenced): (Vec<_>, Vec<_>) = names.into_iter().partition(is_named);
        // A recorded one that is named again stays among the unmet ones, which are looked at again at the end.
        let new: Vec<_> = unreferenced.into_iter().filter(|name| !comparison.unmet.remove(name)).collect();
        drop(referenced);
        if new.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.store.write(move |tx| tx.note_unreferenced(&new, now)).await
    }

    /// Ends a comparison: forgets recorded avatars that are named again, or whose files are gone.
    pub async fn finish_comparison(&self, comparison: MediaComparison) -> Result<(), Error> {
        if comparison.unmet.is_empty() {
            return Ok(());
        }
        let stopped = self.clock.now().saturating_sub(REMOVAL_LIMIT * 4);
        self.store
            .write(move |tx| {
                let removing: BTreeSet<_> = tx.removing_since(stopped)?.into_iter().collect();
                for name in comparison.unmet.iter().filter(|name| !removing.contains(*name)) {
                    tx.forget_unreferenced(name)?;
                }
                Ok(())
            })
            .await
    }

    /// Returns some avatars that no user has had for at least `grace`, and forgets those that a user has. The files of the
    /// returned ones must be removed within [`REMOVAL_LIMIT`]; no user can get them until [`Self::media_removed`] is called.
    pub async fn media_to_remove(&self, grace: Duration) -> Result<Vec<String>, Error> {
        let now = self.clock.now();
        let (until, stopped) = (now.saturating_sub(grace), now.saturating_sub(REMOVAL_LIMIT * 4));
        let limit = i64::try_from(REMOVED_AT_ONCE).unwrap_or(i64::MAX);
        self.store
            .write(move |tx| {
                let due = tx.removable(until, stopped, limit)?;
                if due.is_empty() {
                    return Ok(due);
                }
                let (named, in_bin) = (tx.avatars_among(&due)?, tx.avatars_in_bin()?);
                let mut removed = Vec::new();
                for name in due {
                    if named.contains(&name) || in_bin.contains(&name) {
                        tx.forget_unreferenced(&name)?;
                    } else {
                        tx.begin_removal(&name, now)?;
                        removed.push(name);
                    }
                }
                Ok(removed)
            })
            .await
    }

    /// Records that the files of an avatar are gone.
    pub async fn media_removed(&self, name: String) -> Result<(), Error> {
        self.store.write(move |tx| tx.forget_unreferenced(&name)).await
    }
}
