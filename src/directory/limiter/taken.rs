//! How often a caller may learn that a value is taken.
//!
//! A caller that may write a username, an email address, a mobile number or a group's name learns by it whether another
//! user has that value already. So each such answer is counted like a failed sign-in, per person. Beyond a free number,
//! every further change of such a value has to wait, whatever it would have come to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use super::backoff::{Backoff, Waits};
use crate::directory::access::{Actor, Who};

/// For changes of one's own record.
const OWN: Backoff = Backoff {
    name: "taken, own",
    free: 20,
    longest: Duration::from_mins(15),
    memory: Duration::from_hours(1),
};
/// For changes of others and of groups: as many as three calls of the largest size can find, where every value of every
/// user is taken.
const OTHERS: Backoff = Backoff {
    name: "taken, others",
    free: 10_000,
    longest: Duration::from_hours(1),
    memory: Duration::from_hours(1),
};

/// The values that a change has found taken so far.
#[derive(Default)]
pub(in crate::directory) struct TakenValues {
    is_own: bool,
    is_checked: Cell<bool>,
    values: Cell<i64>,
    fields: RefCell<BTreeSet<String>>,
    waits: RefCell<Waits>,
}

impl TakenValues {
    /// No values yet, for a change of the caller's own record, or of others.
    pub(in crate::directory) fn new(is_own: bool) -> Self {
        Self { is_own, ..Self::default() }
    }

    /// Returns the backoff that these values count for.
    pub(in crate::directory) fn backoff(&self) -> &'static Backoff {
        if self.is_own { &OWN } else { &OTHERS }
    }

    /// Returns the key of a person's count. Operators are not limited.
    pub(in crate::directory) fn key(&self, actor: &Actor) -> Option<Vec<u8>> {
        match &actor.who {
            Who::Person(identity) => Some(self.backoff().key([&identity.user.id.get().to_string(), ""])),
            Who::Operator(_) | Who::Anonymous => None,
        }
    }

    /// Whether this is the first call: a change checks its wait once.
    pub(in crate::directory) fn needs_check(&self) -> bool {
        !self.is_checked.replace(true)
    }

    /// Keeps the waits that were found, of which some may be too long.
    pub(in crate::directory) fn keep(&self, waits: Waits) {
        self.waits.replace(waits);
    }

    /// Takes the waits, if one of them is too long.
    pub(in crate::directory) fn too_long(&self) -> Option<Waits> {
        Some(self.waits.take()).filter(Waits::are_too_long)
    }

    /// Adds a value of this field.
    pub(in crate::directory) fn add(&self, field: &str) {
        self.values.set(self.values.get().saturating_add(1));
        self.fields.borrow_mut().insert(field.to_owned());
    }

    /// The number of values.
    pub(in crate::directory) fn count(&self) -> i64 {
        self.values.get()
    }

    /// The names of their fields, each once.
    pub(in crate::directory) fn fields(&self) -> Vec<String> {
        self.fields.borrow().iter().cloned().collect()
    }
}
