//! The state of a user: a new one, one with changed fields, its version, and what the audit trail shows of it.

use crate::directory::audit::AuditSnapshot;
use crate::directory::error::Error;
use crate::directory::model::{Expected, Timestamp, User, UserFields, UserState, Version, Violation};

/// Makes a new user of these fields, which must have a username.
pub(super) fn new_user(fields: &UserFields, now: Timestamp) -> Result<User, Error> {
    let username = fields.username.clone().ok_or_else(|| Error::invalid("username", &Violation::Required))?;
    Ok(apply(&User::new(username.into(), now), fields, now))
}

/// Returns `old` with every field of `fields` replaced.
pub(super) fn apply(old: &User, fields: &UserFields, now: Timestamp) -> User {
    let mut user = User { updated_at: now, ..old.clone() };
    fields.write_to(&mut user);
    user
}

/// Computes the version of everything that can be written about a user.
pub(super) fn version(user: &User, codes: &[i64]) -> Version {
    Version::of(&(snapshot(user, codes), &user.avatar, user.updated_at.as_micros()))
}

/// Returns [`Error::Stale`] if a change was made from an older state.
pub(in crate::directory) fn check_version(
    UserState { user, codes }: &UserState,
    expected: &Expected,
) -> Result<(), Error> {
    if expected.holds(|| Ok::<_, Error>(version(user, codes)))? { Ok(()) } else { Err(Error::Stale("user")) }
}

/// Returns the fields of a user that the audit trail shows, with the codes of its own permissions.
pub(in crate::directory) fn snapshot(user: &User, codes: &[i64]) -> AuditSnapshot {
    let mut snapshot: AuditSnapshot = vec![("username", user.username.as_str().into())];
    // The avatar is left out: its part of an event has its size and type.
    let fields = user.fields().filter(|(name, _)| *name != "avatar");
    snapshot.extend(fields.map(|(name, value)| (name, value.into())));
    snapshot.push(("groups", user.groups.iter().map(|group| group.get()).collect()));
    snapshot.push(("permissions", codes.into()));
    snapshot
}
