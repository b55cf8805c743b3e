//! The columns and rows of lists as CSV.

use crate::directory::access::{built_in, scope_list};
use crate::directory::model::{
    DeletedGroup, DeletedUser, Group, ListedToken, Permission, RecordedEvent, Timestamp, User,
};

/// The columns of users.
pub(super) const USER: &[&str] = &[
    "id",
    "username",
    "first_name",
    "last_name",
    "email",
    "mobile_number",
    "gender",
    "is_active",
    "is_staff",
    "is_admin",
    "groups",
    "last_login",
    "created_at",
    "updated_at",
];
/// The columns of groups.
pub(super) const GROUP: &[&str] = &["id", "name", "notes", "users_count", "created_at", "updated_at"];
/// The columns of tokens and sessions.
pub(super) const TOKEN: &[&str] = &[
    "id",
    "name",
    "kind",
    "state",
    "user_id",
    "username",
    "key",
    "scopes",
    "read_only",
    "allowed_networks",
    "created_at",
    "expires_at",
    "last_used_at",
    "revoked_at",
];
/// The columns of deleted users.
pub(super) const DELETED_USER: &[&str] = &["id", "username", "email", "deleted_at", "deleted_by"];
/// The columns of deleted groups.
pub(super) const DELETED_GROUP: &[&str] = &["id", "name", "users_count", "deleted_at", "deleted_by"];
/// The columns of permissions.
pub(super) const PERMISSION: &[&str] = &["id", "code", "name", "is_built_in", "allows"];
/// The columns of events.
pub(super) const EVENT: &[&str] = &[
    "id",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action",
    "object_kind",
    "object_id",
    "object_name",
    "changes",
    "address",
    "request_id",
    "hash",
];

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn text(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

fn number(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

pub(super) fn user(user: &User) -> Vec<String> {
    let groups: Vec<_> = user.groups.iter().map(ToString::to_string).collect();
    vec![
        user.id.to_string(),
        user.username.clone(),
        user.first_name.clone(),
        user.last_name.clone(),
        text(&user.email),
        text(&user.mobile_number),
        text(&user.gender),
        user.is_active.to_string(),
        user.is_staff.to_string(),
        user.is_admin.to_string(),
        groups.join(" "),
        time(user.last_login),
        time(Some(user.created_at)),
        time(Some(user.updated_at)),
    ]
}

pub(super) fn group(group: &Group) -> Vec<String> {
    vec![
        group.id.to_string(),
        group.name.clone(),
        text(&group.notes),
        group.users_count.to_string(),
        time(Some(group.created_at)),
        time(Some(group.updated_at)),
    ]
}

pub(super) fn token(listed: &ListedToken, now: Timestamp) -> Vec<String> {
    let token = &listed.token;
    let narrowing = &token.narrowing;
    let scopes = narrowing.scopes.as_ref().map(|scopes| scope_list(scopes).join(" "));
    let networks = narrowing.allowed_networks.as_ref().map(|networks| networks.texts().join(" "));
    vec![
        token.id.to_string(),
        token.name.clone(),
        token.kind.as_str().to_owned(),
        token.state(now).as_str().to_owned(),
        token.user_id.to_string(),
        listed.username.clone().unwrap_or_default(),
        super::words::key_ends(token),
        scopes.unwrap_or_default(),
        narrowing.read_only.to_string(),
        networks.unwrap_or_default(),
        time(Some(token.created_at)),
        time(token.expires_at),
        time(token.last_used_at),
        time(token.revoked_at),
    ]
}

pub(super) fn deleted_user(user: &DeletedUser) -> Vec<String> {
    vec![
        user.id.to_string(),
        user.username.clone(),
        text(&user.email),
        time(Some(user.deleted_at)),
        user.deleted_by.clone(),
    ]
}

pub(super) fn deleted_group(group: &DeletedGroup) -> Vec<String> {
    vec![
        group.id.to_string(),
        group.name.clone(),
        group.users_count.to_string(),
        time(Some(group.deleted_at)),
        group.deleted_by.clone(),
    ]
}

pub(super) fn permission(permission: &Permission) -> Vec<String> {
    let known = built_in(permission.code);
    vec![
        permission.id.to_string(),
        permission.code.to_string(),
        permission.name.clone(),
        known.is_some().to_string(),
        known.map(|known| known.allows.to_owned()).unwrap_or_default(),
    ]
}

pub(super) fn event(recorded: &RecordedEvent) -> Vec<String> {
    let event = &recorded.event;
    vec![
        recorded.id.to_string(),
        recorded.at.to_string(),
        event.actor_kind.clone(),
        number(event.actor_id),
        event.actor_name.clone(),
        event.action.clone(),
        event.object_kind.clone(),
        number(event.object_id),
        event.object_name.clone(),
        event.changes.clone(),
        text(&event.address),
        text(&event.request_id),
        recorded.link.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    ]
}
