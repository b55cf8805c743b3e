//! Who may enter the admin site, and what there needs a recent proof of who a person is.

use std::time::Duration;

use super::{Actor, ReadAudit, ReadGroups, ReadPermissions, ReadTokens, ReadUsers, Who, holds_permission};
use crate::directory::error::Denial;
use crate::directory::model::{Identity, Timestamp, User};

/// How long a proof of who a person is holds for what is dangerous.
pub const PROOF_HOLDS_FOR: Duration = Duration::from_mins(10);

/// Decides whether an actor may do something dangerous now, such as making an admin: in a browser session only shortly after
/// its owner gave their password. A session that began with a one-time code has no such proof until its owner confirms it with
/// the password. Other tokens carry no proof, and what may be done with them is decided when they are issued.
pub fn may_now(actor: &Actor, now: Timestamp) -> Result<(), Denial> {
    let Who::Person(identity) = &actor.who else { return Ok(()) };
    let is_old = |at: Timestamp| at < now.saturating_sub(PROOF_HOLDS_FOR);
    match identity.token.authenticated_at() {
        Some(at) if is_old(at) || !identity.token.has_password_proof() => Err(Denial::ProofTooOld),
        Some(_) | None => Ok(()),
    }
}

/// Whether a change gives a user power over others: makes them an admin, or lets staff or an admin act who could not. A
/// session whose owner proved nothing for a while must not make such an account, because signing in as it is a fresh proof.
pub fn gives_power(before: Option<&User>, after: &User) -> bool {
    let power = |user: &User| {
        let acts = user.is_active && (user.is_staff || user.is_admin);
        [user.is_admin, acts, acts && user.is_admin]
    };
    let before = before.map_or([false; 3], power);
    power(after).iter().zip(before).any(|(after, before)| *after && !before)
}

/// Whether a person may enter the admin site: an admin, or staff who may read something there.
pub fn may_enter_site(identity: &Identity) -> bool {
    holds_permission::<ReadUsers>(identity)
        || holds_permission::<ReadGroups>(identity)
        || holds_permission::<ReadTokens>(identity)
        || holds_permission::<ReadAudit>(identity)
        || holds_permission::<ReadPermissions>(identity)
}
