//! What every change of a user keeps, whoever makes it: the present password, unique and clear names, the last admin.
//!
//! Never in here: who may change what, which is `access`'s.

use crate::directory::access::{Who, may_take_binned_names};
use crate::directory::change::Change;
use crate::directory::error::{Denial, Error};
use crate::directory::model::{Faults, Rule, User, UserId, is_ambiguous_username};
use crate::directory::sign_in::{Proof, password_required};
use crate::directory::store::Tx;
use crate::directory::store::users::Wanted;

/// What was made of the passwords that came with a change.
#[derive(Clone, Copy)]
pub(in crate::directory) struct Proven<'a> {
    /// The hash of the new one.
    pub(in crate::directory) hash: Option<&'a str>,
    /// That the present one was right.
    pub(in crate::directory) proof: Option<&'a Proof>,
}

impl Proven<'_> {
    pub(in crate::directory) const NONE: Proven<'static> = Proven { hash: None, proof: None };
}

/// A person's own password changes only with the present one; where the setting says so, their e-mail address and
/// mobile number as well. A stolen token must not become more than it is.
pub(super) fn check_proof(
    change: &Change<'_, '_>,
    old: &User,
    new: &User,
    Proven { hash, proof }: Proven<'_>,
) -> Result<(), Error> {
    let contact = |user: &User| (user.email.clone(), user.mobile_number.clone());
    let is_own = matches!(&change.actor.who, Who::Person(identity) if identity.user.id == old.id);
    match proof {
        Some(proof) => proof.check(change),
        None if is_own && hash.is_some() => Err(password_required()),
        None if is_own && change.policy.contact_needs_password && contact(old) != contact(new) => {
            Err(password_required())
        }
        None => Ok(()),
    }
}

/// Reports every field whose new value the user may not have: a username that can be taken for something else, and
/// what somebody else has. The constraints would report one, and not the same on both databases; they stay as the net
/// below. What a deleted user had stays reserved while it can be brought back, but for admins.
pub(super) fn check_new_values(
    change: &Change<'_, '_>,
    before: Option<&User>,
    user: &User,
) -> Result<(), Error> {
    let differs = |of: fn(&User) -> Option<&str>| of(user).filter(|new| before.and_then(of) != Some(*new));
    let wanted = Wanted {
        id: user.id,
        username: differs(|user| Some(&user.username)),
        mobile_number: differs(|user| user.mobile_number.as_deref()),
        email: differs(|user| user.email.as_deref()),
        bin_since: (!may_take_binned_names(&change.actor)).then(|| change.bin_since()),
    };
    let mut faults = Faults::default();
    if wanted.username.is_some_and(is_ambiguous_username) {
        faults.add("username", &Rule::AmbiguousUsername);
    }
    refuse_taken(change, &wanted, faults)
}

/// Reports every unique field of a user who comes back from the recycle bin that somebody else has meanwhile.
pub(in crate::directory) fn check_returning(change: &Change<'_, '_>, user: &User) -> Result<(), Error> {
    let wanted = Wanted {
        id: user.id,
        username: Some(&user.username),
        mobile_number: user.mobile_number.as_deref(),
        email: user.email.as_deref(),
        bin_since: None,
    };
    refuse_taken(change, &wanted, Faults::default())
}

fn refuse_taken(change: &Change<'_, '_>, wanted: &Wanted<'_>, mut faults: Faults) -> Result<(), Error> {
    if !wanted.is_nothing() {
        change.admit_names()?;
    }
    for field in change.tx.taken(wanted)? {
        change.found_taken(&field);
        faults.add(&field, &Rule::Taken { noun: "user", field: field.clone() });
    }
    Ok(faults.none()?)
}

/// The last active admin stays. Writes come one after the other, so two cannot both see the other.
pub(super) fn keep_an_admin(tx: &Tx<'_>, leaving: UserId) -> Result<(), Error> {
    if tx.other_admin_than(leaving)? { Ok(()) } else { Err(Denial::LastAdmin.into()) }
}
