//! A change in progress: its transaction, its time and its actor.
//!
//! A request may take long to arrive: its sender can hold back the last byte of the body while their rights are taken away.
//! So a change never relies on what was true of its actor when the request began. [`Change::begin`] reads token, owner and
//! rights again inside the transaction, and it is the only way to get an actor that can write: `audit::record`, which every
//! change calls, takes nothing else.
//!
//! Never in here: a rule about who may do what. Those are in `access`.

#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::sync::Arc;

use super::Directory;
use super::access::{Action, Actor, Origin, Who, authorize, gives_power, may_now};
use super::error::Error;
use super::limiter::{TakenValues, Waits};
use super::model::{Identity, Timestamp, TokenState, User};
use super::settings::ChangePolicy;
use super::store::identities::{self, CurrentIdentity};
use super::store::{FirstRead, Tx, audit as trail};

/// A transaction that an actor writes in.
pub(super) struct Change<'t, 'l> {
    /// The transaction.
    pub(super) tx: &'t Tx<'l>,
    /// When it began: the time of everything that is written in it.
    pub(super) now: Timestamp,
    /// The actor, with the rights that they have in this transaction.
    pub(super) actor: Actor,
    /// The settings that the change follows.
    pub(super) policy: ChangePolicy,
    /// The values that were found taken.
    pub(super) taken: TakenValues,
    /// Keeps other files from making one.
    _confirmed: (),
}

impl<'t, 'l> Change<'t, 'l> {
    /// Begins a change by `actor`. A person whose token has ended or does not admit the client's address, or who is no longer
    /// active, is refused.
    pub(super) fn begin(
        tx: &'t Tx<'l>,
        now: Timestamp,
        actor: &Actor,
        policy: ChangePolicy,
    ) -> Result<Self, Error> {
        let who = match &actor.who {
            Who::Person(seen) => {
                let found = tx.first::<CurrentIdentity>(&identities::current(seen))?;
                Who::Person(active(found, seen, &actor.origin, now)?)
            }
            Who::Operator(_) | Who::Anonymous => actor.who.clone(),
        };
        let actor = Actor { who, origin: actor.origin.clone() };
        Ok(Self { tx, now, actor, policy, taken: TakenValues::default(), _confirmed: () })
    }

    /// Returns an error unless the actor may do this.
    pub(super) fn check(&self, action: Action<'_>) -> Result<(), Error> {
        Ok(authorize(&self.actor, action)?)
    }

    /// Returns an error unless the actor may do something dangerous now: see [`may_now`].
    pub(super) fn check_proof_age(&self) -> Result<(), Error> {
        Ok(may_now(&self.actor, self.now)?)
    }

    /// Returns an error if a change of a user is dangerous, and the actor may do nothing dangerous now.
    pub(super) fn check_power(&self, before: Option<&User>, after: &User) -> Result<(), Error> {
        if gives_power(before, after) { self.check_proof_age() } else { Ok(()) }
    }

    /// Returns an error if what is deleted now could not be restored, and the actor may do nothing dangerous now.
    pub(super) fn check_deletion(&self) -> Result<(), Error> {
        if self.policy.keep_deleted_for.is_zero() { self.check_proof_age() } else { Ok(()) }
    }

    /// Returns what was written, and whether its writer may read it.
    pub(super) fn written<T>(&self, value: T, reading: Action<'_>) -> Written<T> {
        Written { is_readable: authorize(&self.actor, reading).is_ok(), value }
    }

    /// Returns the name of the actor, for the recycle bin.
    pub(super) fn actor_name(&self) -> &str {
        match &self.actor.who {
            Who::Operator(name) => name,
            Who::Person(identity) => &identity.user.username,
            Who::Anonymous => "",
        }
    }

    /// Users and groups deleted after this time are still in the recycle bin.
    pub(super) fn bin_since(&self) -> Timestamp {
        self.now.saturating_sub(self.policy.keep_deleted_for)
    }

    /// Returns [`Error::Busy`] when the actor has learned of too many taken values. Call it before looking for one.
    pub(super) fn check_taken_limit(&self) -> Result<(), Error> {
        if !self.taken.needs_check() {
            return Ok(());
        }
        let Some(key) = self.taken.key(&self.actor) else { return Ok(()) };
        let stored = self.tx.blocked(std::slice::from_ref(&key), self.now)?;
        let waits = Waits::of(self.now, &[(*self.taken.backoff(), key)], &stored);
        let verdict = waits.check();
        self.taken.keep(waits);
        verdict
    }
}

/// What was written. The right to write is not the right to read: without it, a writer is shown only what they wrote.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// The object as it is now.
    pub value: T,
    /// Whether its writer may read it.
    pub is_readable: bool,
}

impl<T> Deref for Written<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl Directory {
    /// Runs `work` as a change by `actor`. The transaction may be shared with other work, and `work` may run again.
    pub(super) async fn change<T, F>(&self, actor: &Actor, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Change<'_, '_>) -> Result<T, Error> + Send + 'static,
    {
        self.change_after(actor, Vec::new(), work).await
    }

    /// Does the same with work that begins with these reads.
    pub(super) async fn change_after<T, F>(
        &self,
        actor: &Actor,
        reads: Vec<FirstRead>,
        work: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Change<'_, '_>) -> Result<T, Error> + Send + 'static,
    {
        let (actor, clock, policy) = (actor.clone(), self.clock.clone(), self.policy.clone());
        let mut first = first_reads(&actor);
        first.extend(reads);
        self.store
            .write_after(first, move |tx| work(&Change::begin(tx, clock.now(), &actor, policy.clone())?))
            .await
    }

    /// Reads the rights of a person again, for work that goes on after its first answer, such as the next page of an
    /// export. Operators and strangers stay the same.
    pub async fn confirm(&self, actor: &Actor) -> Result<Actor, Error> {
        let Who::Person(seen) = &actor.who else { return Ok(actor.clone()) };
        let found: Option<CurrentIdentity> = self.store.first(identities::current(seen)).await?;
        let identity = active(found, seen, &actor.origin, self.clock.now())?;
        Ok(Actor { who: Who::Person(identity), origin: actor.origin.clone() })
    }
}

/// Returns the reads that every change by this actor begins with, or ends with: the end of the audit trail.
pub(super) fn first_reads(actor: &Actor) -> Vec<FirstRead> {
    let mut reads = vec![trail::first_read_of_head()];
    if let Who::Person(seen) = &actor.who {
        reads.push(identities::first_read_of_current(seen));
    }
    reads
}

/// Returns the identity as it is now, if its token is valid for a request from there and its owner active.
fn active(
    found: Option<CurrentIdentity>,
    seen: &Arc<Identity>,
    origin: &Origin,
    now: Timestamp,
) -> Result<Arc<Identity>, Error> {
    let current = found.ok_or(Error::TokenEnded)?;
    let identity = match current.is_still(seen) {
        true => Arc::clone(seen),
        false => Arc::new(current.of(seen)),
    };
    match identity.token.state(now) {
        TokenState::Active if !identity.token.narrowing.admits(origin.client()) => Err(Error::TokenEnded),
        TokenState::Active if identity.user.is_active => Ok(identity),
        TokenState::Active => Err(Error::OwnerInactive),
        TokenState::Revoked | TokenState::Expired => Err(Error::TokenEnded),
    }
}
