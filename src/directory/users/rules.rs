//! The rules of every change of a user: the present password, unique and unambiguous names, the last admin.
//!
//! Never in here: who may change what. That is in `access`.

use crate::directory::access::{Who, may_take_binned_names};
use crate::directory::authentication::{PasswordProof, password_required};
use crate::directory::change::Change;
use crate::directory::error::{Denial, Error};
use crate::directory::model::{User, UserId, ValidationErrors, Violation, is_ambiguous_username};
use crate::directory::store::Tx;
use crate::directory::store::users::UniqueFields;

/// The passwords of a change, hashed and checked.
#[derive(Clone, Copy)]
pub(in crate::directory) struct Proven<'a> {
    /// The hash of the new one.
    pub(in crate::directory) hash: Option<&'a str>,
    /// Proof that the present one was right.
    pub(in crate::directory) proof: Option<&'a PasswordProof>,
}

impl Proven<'_> {
    pub(in crate::directory) const NONE: Proven<'static> = Proven { hash: None, proof: None };
}

/// Checks that a person's own password changes only with the present one, and their e-mail address and mobile number as well if
/// the setting says so. A stolen token must not become more than it is.
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

/// Reports every field with a new value that the user may not have: an ambiguous username, and a value that another user has.
/// The constraints of the database would report only one, and not the same one on both databases; they remain as a safety net.
/// Values of a deleted user stay reserved while the user can be restored, except from admins.
pub(super) fn check_new_values(
    change: &Change<'_, '_>,
    before: Option<&User>,
    user: &User,
) -> Result<(), Error> {
    let differs = |of: fn(&User) -> Option<&str>| of(user).filter(|new| before.and_then(of) != Some(*new));
    let fields = UniqueFields {
        id: user.id,
        username: differs(|user| Some(&user.username)),
        mobile_number: differs(|user| user.mobile_number.as_deref()),
        email: differs(|user| user.email.as_deref()),
        bin_since: (!may_take_binned_names(&change.actor)).then(|| change.bin_since()),
    };
    let mut errors = ValidationErrors::default();
    if fields.username.is_some_and(is_ambiguous_username) {
        errors.add("username", &Violation::AmbiguousUsername);
    }
    check_taken(change, &fields, errors)
}

/// Reports every unique field of a restored user that another user has by now.
pub(in crate::directory) fn check_returning(change: &Change<'_, '_>, user: &User) -> Result<(), Error> {
    let fields = UniqueFields {
        id: user.id,
        username: Some(&user.username),
        mobile_number: user.mobile_number.as_deref(),
        email: user.email.as_deref(),
        bin_since: None,
    };
    check_taken(change, &fields, ValidationErrors::default())
}

/// Adds an error for every value that another user has, and fails if there is any error.
fn check_taken(
    change: &Change<'_, '_>,
    fields: &UniqueFields<'_>,
    mut errors: ValidationErrors,
) -> Result<(), Error> {
    if !fields.is_empty() {
        change.check_taken_limit()?;
    }
    for field in change.tx.taken(fields)? {
        change.taken.add(&field);
        errors.add(&field, &Violation::Taken { noun: "user", field: field.clone() });
    }
    Ok(errors.into_result()?)
}

/// Checks that an active admin remains. Writes run one after the other, so two admins cannot remove each other.
pub(in crate::directory) fn check_last_admin(tx: &Tx<'_>, leaving: UserId) -> Result<(), Error> {
    if tx.other_admin_than(leaving)? { Ok(()) } else { Err(Denial::LastAdmin.into()) }
}
