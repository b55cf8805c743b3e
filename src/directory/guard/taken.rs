//! How often somebody may be told that a value is taken.
//!
//! Whoever may write a username, an email address, a mobile number or a group's name learns by it whether somebody has
//! that value already. So each such answer is counted, like a failed sign-in, for the person who asked, with an event;
//! beyond a free number every further change of such a value has to wait, whatever would have come of it. The count is
//! made in the transaction that found the value taken, and read in the transaction of the next change: no two requests
//! at once, and no two replicas, get more than one after the other.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::count::{Count, wait};
use crate::directory::Directory;
use crate::directory::access::{Actor, Who};
use crate::directory::audit::{self, Object};
use crate::directory::change::Change;
use crate::directory::error::Error;

/// For changes of one's own record.
const OWN: Count =
    Count { name: "taken, own", free: 20, longest: Duration::from_mins(15), memory: Duration::from_hours(1) };
/// For changes of others and of groups: as many as three calls of the largest size can find, where every value of every
/// user is taken.
const OTHERS: Count = Count {
    name: "taken, others",
    free: 10_000,
    longest: Duration::from_hours(1),
    memory: Duration::from_hours(1),
};

/// How a change may find values taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) enum Names {
    /// Those of one's own record, before anything is written.
    Own,
    /// Those of others, before anything is written.
    Others,
    /// Those of others, after something was written.
    OthersLate,
}

/// What a change has found taken so far.
#[derive(Default)]
pub(in crate::directory) struct Taken {
    is_own: bool,
    is_admitted: Cell<bool>,
    values: Cell<i64>,
    fields: RefCell<BTreeSet<String>>,
}

impl Taken {
    pub(in crate::directory) fn of(names: Names) -> Self {
        Self { is_own: names == Names::Own, ..Self::default() }
    }

    fn count(&self) -> &'static Count {
        if self.is_own { &OWN } else { &OTHERS }
    }

    /// The key of a person's count. Operators are not limited.
    fn key(&self, actor: &Actor) -> Option<Vec<u8>> {
        match &actor.who {
            Who::Person(identity) => Some(self.count().key([&identity.user.id.get().to_string(), ""])),
            Who::Operator(_) | Who::Anonymous => None,
        }
    }
}

impl Change<'_, '_> {
    /// To be asked before it is found out whether a value is taken; [`Error::Busy`] when its writer has been told so too
    /// often.
    pub(in crate::directory) fn admit_names(&self) -> Result<(), Error> {
        if self.taken.is_admitted.replace(true) {
            return Ok(());
        }
        match self.taken.key(&self.actor) {
            Some(key) => wait(self.now, self.tx.blocked(&[key], self.now)?),
            None => Ok(()),
        }
    }

    /// Remembers that a value was found taken.
    pub(in crate::directory) fn found_taken(&self, field: &str) {
        self.taken.values.set(self.taken.values.get().saturating_add(1));
        self.taken.fields.borrow_mut().insert(field.to_owned());
    }

    /// Counts what was found taken, with an event.
    fn count_taken(&self) -> Result<(), Error> {
        let Some(key) = self.taken.key(&self.actor) else { return Ok(()) };
        let values = self.taken.values.get();
        let until = self.tx.count_more(self.taken.count(), &key, values, self.now)?;
        self.tx.forget_attempts(self.now)?;
        let wait = until.as_micros().saturating_sub(self.now.as_micros()) / 1_000_000;
        let fields: Vec<_> = self.taken.fields.borrow().iter().cloned().collect();
        let changes = json!({ "fields": fields, "values": values, "wait_seconds": wait });
        audit::record(self, "value.taken", &Object::Directory, changes)
    }
}

impl Directory {
    /// Runs a change that may find values taken: that is counted, though nothing else is changed.
    pub(in crate::directory) async fn change_names<T, F>(
        &self,
        actor: &Actor,
        names: Names,
        work: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&Change<'_, '_>) -> Result<T, Error> + Send + 'static,
    {
        let (actor, clock, policy) = (actor.clone(), self.clock.clone(), self.policy);
        let done = self.store.write(move |tx| {
            let mut change = Change::begin(tx, clock.now(), &actor, policy)?;
            change.taken = Taken::of(names);
            counted(&change, names, || work(&change))
        });
        done.await?
    }
}

/// The outer error takes the transaction back, the inner one does not.
fn counted<T>(
    change: &Change<'_, '_>,
    names: Names,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<Result<T, Error>, Error> {
    let (result, is_clean) = match names {
        Names::OthersLate => (change.tx.apart(work), true),
        Names::Own | Names::Others => change.tx.is_untouched_by(work),
    };
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(error @ (Error::Invalid(_) | Error::InvalidItems(_)))
            if is_clean && change.taken.values.get() > 0 =>
        {
            change.count_taken()?;
            Ok(Err(error))
        }
        Err(error) => Err(error),
    }
}
