//! A change in progress: its transaction, its time and its actor.
//!
//! A request may take long to arrive: its sender can hold back the last byte of the body while their rights are
//! taken away. So a change never trusts who its actor was when the request began. [`Change::begin`] reads token,
//! owner and rights again inside the transaction, and it is the only way to get an actor that can write: the audit
//! trail, which every change is noted in, takes nothing else.
//!
//! Never in here: a rule about who may do what, which is `access`'s.

use std::ops::Deref;
use std::sync::Arc;

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::error::Error;
use super::guard::taken::Taken;
use super::model::{Identity, Timestamp, TokenState};
use super::settings::ChangePolicy;
use super::store::Tx;
use super::store::identities::{self, Present};

/// A transaction that somebody writes in.
pub(super) struct Change<'t, 'l> {
    /// The transaction.
    pub(super) tx: &'t Tx<'l>,
    /// When it began: the time of everything that is written in it.
    pub(super) now: Timestamp,
    /// Who writes, with the rights that they have in this transaction.
    pub(super) actor: Actor,
    /// The settings that a change goes by.
    pub(super) policy: ChangePolicy,
    /// The values that were found taken.
    pub(super) taken: Taken,
    /// Nobody else can make one.
    _confirmed: (),
}

impl<'t, 'l> Change<'t, 'l> {
    /// Begins a change by `actor`. A person whose token has ended, or who is no longer active, is refused.
    pub(super) fn begin(
        tx: &'t Tx<'l>,
        now: Timestamp,
        actor: &Actor,
        policy: ChangePolicy,
    ) -> Result<Self, Error> {
        let who = match &actor.who {
            Who::Person(seen) => {
                let found = tx.first::<Present>(&identities::present(seen))?;
                Who::Person(active(found, seen, now)?)
            }
            Who::Operator(_) | Who::Anonymous => actor.who.clone(),
        };
        let actor = Actor { who, origin: actor.origin.clone() };
        Ok(Self { tx, now, actor, policy, taken: Taken::default(), _confirmed: () })
    }

    /// Refuses what the actor may not do.
    pub(super) fn check(&self, action: Action<'_>) -> Result<(), Error> {
        Ok(authorize(&self.actor, action)?)
    }

    /// What was written, with whether its writer may read it.
    pub(super) fn written<T>(&self, value: T, reading: Action<'_>) -> Written<T> {
        Written { is_readable: authorize(&self.actor, reading).is_ok(), value }
    }

    /// Who was deleted after this moment is still in the recycle bin.
    pub(super) fn bin_since(&self) -> Timestamp {
        self.now.saturating_sub(self.policy.keep_deleted_for)
    }
}

/// What was written. The right to write is not the right to read: without that one, its writer is shown no more than
/// they wrote.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// It, as it is now.
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
    /// Runs `work` as a change by `actor`, in a transaction that it may share with other work, and be run again in.
    pub(super) async fn change<T, F>(&self, actor: &Actor, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Change<'_, '_>) -> Result<T, Error> + Send + 'static,
    {
        let (actor, clock, policy) = (actor.clone(), self.clock.clone(), self.policy);
        self.store.write(move |tx| work(&Change::begin(tx, clock.now(), &actor, policy)?)).await
    }

    /// Reads anew who a person is, for work that goes on after its first answer: the next page of an export.
    /// Operators and strangers stay what they are.
    pub(super) async fn confirm(&self, actor: &Actor) -> Result<Actor, Error> {
        let Who::Person(seen) = &actor.who else { return Ok(actor.clone()) };
        let found: Option<Present> = self.store.first(identities::present(seen)).await?;
        let identity = active(found, seen, self.clock.now())?;
        Ok(Actor { who: Who::Person(identity), origin: actor.origin.clone() })
    }
}

/// The identity as it is now, if its token is active and its owner is.
fn active(found: Option<Present>, seen: &Arc<Identity>, now: Timestamp) -> Result<Arc<Identity>, Error> {
    let present = found.ok_or(Error::TokenEnded)?;
    let identity = match present.is_still(seen) {
        true => Arc::clone(seen),
        false => Arc::new(present.of(seen)),
    };
    match identity.token.state(now) {
        TokenState::Active if identity.user.is_active => Ok(identity),
        TokenState::Active => Err(Error::OwnerInactive),
        TokenState::Revoked | TokenState::Expired => Err(Error::TokenEnded),
    }
}
