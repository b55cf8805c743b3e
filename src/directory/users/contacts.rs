//! Numbers and addresses that messages go to, and who set them.

use crate::directory::access::Who;
use crate::directory::change::Change;
use crate::directory::error::Error;
use crate::directory::model::{Channel, User};

/// The numbers and addresses of a user.
fn contacts(user: &User) -> [(Channel, Option<&str>); 2] {
    [(Channel::Sms, user.mobile_number.as_deref()), (Channel::Mail, user.email.as_deref())]
}

/// Notes which of them someone else than the user has set: codes wait before they go there, because the one who sets a number could
/// sign in with it.
pub(super) fn note_contacts(change: &Change<'_, '_>, before: &User, after: &User) -> Result<(), Error> {
    let is_own = matches!(&change.actor.who, Who::Person(identity) if identity.user.id == after.id);
    for ((channel, old), (_, new)) in contacts(before).into_iter().zip(contacts(after)) {
        if old == new {
            continue;
        }
        match is_own {
            true => change.tx.forget_contact_change(after.id, channel)?,
            false => change.tx.note_contact_change(after.id, channel, change.now)?,
        }
    }
    Ok(())
}

/// Notes the same of a user who is restored: what was noted before the deletion is not known any more.
pub(in crate::directory) fn note_returning_contacts(
    change: &Change<'_, '_>,
    user: &User,
) -> Result<(), Error> {
    for (channel, contact) in contacts(user) {
        if contact.is_some() {
            change.tx.note_contact_change(user.id, channel, change.now)?;
        }
    }
    Ok(())
}
