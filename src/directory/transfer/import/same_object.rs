//! Decides whether a record and the row with its id are about the same user or group. An id alone does not say so: here
//! and in the source it may have been given to different ones.

use crate::directory::model::Group;
use crate::directory::model::stored::StoredUser;
use crate::directory::password::UNUSABLE;
use crate::directory::transfer::record::{GroupRecord, UserRecord};

/// Returns whether a record is about this user. `made_here`: the user was created here, and no import has written it.
///
/// The same name or the same time of creation shows it. A user that was imported counts as renamed if at least the address
/// or the password is the same. Where nothing shows it, tokens that were issued here would follow to another person.
pub(super) fn is_same_user(record: &UserRecord, row: &StoredUser, made_here: bool) -> bool {
    let user = &row.user;
    if record.username == user.username || record.created_at == Some(user.created_at) {
        return true;
    }
    let is_filled = |text: &&str| !text.is_empty();
    let email = record.email.as_ref().and_then(|email| email.as_deref()).filter(is_filled);
    let password = record.password.as_deref().filter(is_filled).filter(|hash| !hash.starts_with(UNUSABLE));
    let shares = (email.is_some() && email == user.email.as_deref())
        || password.is_some_and(|password| password == row.password);
    !made_here && shares
}

/// Returns whether a record is about this group. `made_here`: the group was created here, and no import has written it.
pub(super) fn is_same_group(record: &GroupRecord, group: &Group, made_here: bool) -> bool {
    record.name == group.name || record.created_at == Some(group.created_at) || !made_here
}
