//! Describes what access a restore reopens, as text and as JSON. The report of a restore and its refusal use this.

use std::time::Duration;

use serde_json::{Value, json};

use super::days::span_text;
use crate::directory::model::{
    ClosedAccess, ClosureKind, ComparisonExtent, GrantedAccess, NamedId, ReopenedAccess,
};

/// How many lines of a list are shown; --json shows all.
const SHOWN: usize = 100;

/// Adds what is known about closed access to the JSON of a report or a refusal.
pub(super) fn add(
    json: &mut Value,
    comparison: &ComparisonExtent,
    closed: &[ClosedAccess],
    brings: Option<&GrantedAccess>,
) {
    if let Value::Object(members) = json {
        members.insert("comparison".to_owned(), comparison.as_str().into());
        members.insert("not_compared".to_owned(), comparison.why().into());
        members.insert("closed_since".to_owned(), closed.iter().map(ClosedAccess::json).collect());
        members.insert("brings".to_owned(), brings.map(GrantedAccess::json).into());
    }
}

/// Describes why nothing was restored, what would reopen, and how to continue.
pub(super) fn refusal(reopened: &ReopenedAccess) -> (String, Value) {
    let ReopenedAccess { created_at, comparison, closed, brings } = reopened;
    let mut text = "nothing was changed.\n".to_owned();
    if !closed.is_empty() {
        text += &format!(
            "These were closed since the backup of {created_at} and would be open again ({} in total):\n",
            closed.len()
        );
        text += &list(closed.iter().map(line));
        text += "Use --keep-closed to keep them closed (recommended), or --reopen-closed to reopen them.\n";
    }
    if let Some(brings) = brings {
        let described = brought(brings, comparison);
        let before = match comparison {
            ComparisonExtent::Impossible(reason) if reason.has_remedy => {
                text += &format!(
                    "First: {}. Then run the restore again: it can compare the backup with the current database.\n",
                    reason.why
                );
                "If that is impossible"
            }
            _ => "Before you continue",
        };
        text += &format!("{before}: {described}Use --accept-revived to restore anyway");
        text += if *comparison == ComparisonExtent::Partial {
            ", with --keep-closed to keep closed what is known.\n"
        } else {
            ".\n"
        };
    }
    let mut json = json!({ "created_at": created_at });
    add(&mut json, comparison, closed, brings.as_ref());
    (text.trim_end().to_owned(), json)
}

pub(super) fn list(lines: impl ExactSizeIterator<Item = String>) -> String {
    let more = lines.len().saturating_sub(SHOWN);
    let mut text: String = lines.take(SHOWN).map(|line| format!("  {line}\n")).collect();
    if more > 0 {
        text += &format!("  and {more} more: --json lists all\n");
    }
    text
}

/// Formats a name and its id. The name is escaped, because a user chose it.
fn shown(NamedId { id, name }: &NamedId) -> String {
    format!("{:?} ({id})", name)
}

pub(super) fn line(closed: &ClosedAccess) -> String {
    let name = |named: &Option<NamedId>| named.as_ref().map(shown).unwrap_or_default();
    let (user, group, token) = (name(&closed.user), name(&closed.group), name(&closed.token));
    let permission = closed.permission.as_ref();
    let permission = permission.map(|NamedId { id, name }| format!("{id} ({name})")).unwrap_or_default();
    let at = closed.at.map(|at| at.to_string()).unwrap_or_default();
    let tokens = match closed.tokens {
        0 => String::new(),
        1 => ", with 1 active token".to_owned(),
        more => format!(", with {more} active tokens"),
    };
    match closed.kind {
        ClosureKind::UserDeleted => format!("user deleted: {user}{tokens}"),
        ClosureKind::DeletedUserPurged => format!("deleted user purged: {user}"),
        ClosureKind::UserDeactivated => format!("user deactivated: {user}{tokens}"),
        ClosureKind::AdminRemoved => format!("no longer an admin: {user}"),
        ClosureKind::StaffRemoved => format!("no longer staff: {user}"),
        ClosureKind::PasswordChanged => format!("password changed: {user}"),
        ClosureKind::TokenRevoked => format!("token revoked: {token} of {user}, at {at}"),
        ClosureKind::TokenEnded => format!("token expiry changed: {token} of {user}, to {at}"),
        ClosureKind::TokenNarrowed => format!("token narrowed: {token} of {user}"),
        ClosureKind::TokenDeleted => format!("token deleted: {token} of {user}"),
        ClosureKind::TokenMoved => format!("token moved to another user: {token} of {user}"),
        ClosureKind::PermissionRemoved => format!("permission removed: {permission} of {user}"),
        ClosureKind::MembershipRemoved => format!("membership removed: {user} in {group}"),
        ClosureKind::GroupPermissionRemoved => format!("group permission removed: {permission} of {group}"),
        ClosureKind::GroupDeleted => format!("group deleted: {group}"),
        ClosureKind::DeletedGroupPurged => format!("deleted group purged: {group}"),
    }
}

pub(super) fn brought(brings: &GrantedAccess, comparison: &ComparisonExtent) -> String {
    let what = match comparison {
        ComparisonExtent::Partial => "it is only partly known what was closed since the backup",
        _ => "it is not known what was closed since the backup",
    };
    let why = comparison.why().unwrap_or_default();
    let age = match brings.age {
        Some(age) => format!("is {} old", span_text(whole_minutes(age))),
        None => "has a creation time in the future".to_owned(),
    };
    let GrantedAccess { users, admins, tokens, .. } = brings;
    let mut text = format!(
        "{what} ({why}). The backup {age}. It contains {users} active users, {} active admins and {} active tokens.\n",
        admins.len(),
        tokens.len()
    );
    text += &list(admins.iter().map(|admin| format!("admin: {}", shown(admin))));
    text += &list(tokens.iter().map(|brought| {
        let end = brought.expires_at.map_or_else(String::new, |end| format!(", until {end}"));
        format!("token: {} of {}{end}", shown(&brought.token), shown(&brought.user))
    }));
    text
}

fn whole_minutes(age: Duration) -> Duration {
    Duration::from_secs(age.as_secs() / 60 * 60)
}
