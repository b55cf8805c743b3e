//! The state of a user: a new one, one with changed fields, its version, and what the audit trail shows of it.

use crate::directory::audit::AuditSnapshot;
use crate::directory::error::Error;
use crate::directory::model::{Expected, Timestamp, User, UserFields, UserId, UserState, Version, Violation};

/// Makes a new user of these fields, which must have a username.
pub(super) fn new_user(fields: &UserFields, now: Timestamp) -> Result<User, Error> {
    let username = fields.username.clone().ok_or_else(|| Error::invalid("username", &Violation::Required))?;
    Ok(apply(&blank(username.into(), now), fields, now))
}

/// Makes a user with a username and defaults. The database gives it an id.
fn blank(username: String, now: Timestamp) -> User {
    User {
        id: UserId::UNSAVED,
        username,
        mobile_number: None,
        email: None,
        avatar: None,
        first_name: String::new(),
        last_name: String::new(),
        gender: None,
        is_active: true,
        is_staff: false,
        is_admin: false,
        last_login: None,
        last_seen_at: None,
        created_at: now,
        updated_at: now,
        groups: Vec::new(),
    }
}

/// Returns `old` with every field of `fields` replaced.
pub(super) fn apply(old: &User, fields: &UserFields, now: Timestamp) -> User {
    let fields = fields.clone();
    let text = |new: Option<String>, old: &String| new.unwrap_or_else(|| old.clone());
    User {
        username: text(fields.username.map(String::from), &old.username),
        mobile_number: replaced(fields.mobile_number, &old.mobile_number),
        email: replaced(fields.email, &old.email),
        first_name: text(fields.first_name.map(String::from), &old.first_name),
        last_name: text(fields.last_name.map(String::from), &old.last_name),
        gender: replaced(
            fields.gender.map(|gender| gender.map(|gender| gender.as_str().to_owned())),
            &old.gender,
        ),
        is_active: fields.is_active.unwrap_or(old.is_active),
        is_staff: fields.is_staff.unwrap_or(old.is_staff),
        is_admin: fields.is_admin.unwrap_or(old.is_admin),
        updated_at: now,
        ..old.clone()
    }
}

/// Returns the new value of a field that can be emptied, or its old one.
fn replaced<T: Into<String>>(new: Option<Option<T>>, old: &Option<String>) -> Option<String> {
    match new {
        Some(new) => new.map(Into::into),
        None => old.clone(),
    }
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
    vec![
        ("username", user.username.as_str().into()),
        ("mobile_number", user.mobile_number.as_deref().into()),
        ("email", user.email.as_deref().into()),
        ("first_name", user.first_name.as_str().into()),
        ("last_name", user.last_name.as_str().into()),
        ("gender", user.gender.as_deref().into()),
        ("is_active", user.is_active.into()),
        ("is_staff", user.is_staff.into()),
        ("is_admin", user.is_admin.into()),
        ("groups", user.groups.iter().map(|group| group.get()).collect()),
        ("permissions", codes.into()),
    ]
}
