//! Changes of values that must be unique, and the limit on what they reveal.
//!
//! The answer that a value is taken is counted, with an event, in the transaction that found it taken, and the count is
//! checked in the transaction of the next change. So neither concurrent requests nor replicas get more answers than
//! requests one after the other would. See `limiter::taken` for the limits.

use serde_json::json;

use super::Directory;
use super::access::Actor;
use super::audit::{self, AuditObject};
use super::change::{Change, first_reads};
use super::error::Error;
use super::limiter::TakenValues;
use super::model::UserKey;
use super::store::users::first_read_of_state;

/// Whose unique values a change writes, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UniqueValues {
    /// Those of the caller's own record, before anything else is written.
    Own,
    /// Those of others, before anything else is written.
    Others,
    /// Those of others, after something else was written.
    OthersAfterWrites,
}

impl Directory {
    /// Runs a change that may find values taken. That is counted even though the change itself is rolled back.
    pub(super) async fn change_unique<T, F>(
        &self,
        actor: &Actor,
        values: UniqueValues,
        work: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Change<'_, '_>) -> Result<T, Error> + Send + 'static,
    {
        self.change_unique_of(actor, values, None, work).await
    }

    /// Does the same with a change that begins with reading the user of this key.
    pub(super) async fn change_unique_of<T, F>(
        &self,
        actor: &Actor,
        values: UniqueValues,
        key: Option<&UserKey>,
        work: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Change<'_, '_>) -> Result<T, Error> + Send + 'static,
    {
        let (actor, clock, policy) = (actor.clone(), self.clock.clone(), self.policy.clone());
        let mut first = first_reads(&actor);
        first.extend(key.and_then(first_read_of_state));
        let done = self.store.write_after(first, move |tx| {
            let mut change = Change::begin(tx, clock.now(), &actor, policy.clone())?;
            change.taken = TakenValues::new(values == UniqueValues::Own);
            counted(&change, values, || work(&change))
        });
        done.await?
    }
}

/// Runs the work and counts what it found taken. The outer error rolls the transaction back, the inner one does not.
fn counted<T>(
    change: &Change<'_, '_>,
    values: UniqueValues,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<Result<T, Error>, Error> {
    let (result, is_clean) = match values {
        UniqueValues::OthersAfterWrites => (change.tx.savepoint(work), true),
        UniqueValues::Own | UniqueValues::Others => change.tx.leaves_unchanged(work),
    };
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error @ (Error::Invalid(_) | Error::InvalidItems(_))) if is_clean && change.taken.count() > 0 => {
            count_taken(change)?;
            Ok(Err(error))
        }
        Err(error @ Error::Busy { .. }) if is_clean => {
            // A wait that was stored before the clock went back.
            if let Some(waits) = change.taken.too_long() {
                waits.shorten(change.tx)?;
            }
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}

/// Counts the values that were found taken, with an event.
fn count_taken(change: &Change<'_, '_>) -> Result<(), Error> {
    let Change { tx, now, taken, .. } = change;
    let Some(key) = taken.key(&change.actor) else { return Ok(()) };
    let until = taken.backoff().add(tx, &key, taken.count(), *now)?;
    tx.forget_attempts(*now)?;
    let wait = until.as_micros().saturating_sub(now.as_micros()) / 1_000_000;
    let changes = json!({ "fields": taken.fields(), "values": taken.count(), "wait_seconds": wait });
    audit::record(change, "value.taken", &AuditObject::Directory, changes)
}
