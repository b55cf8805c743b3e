//! What a restore would open again, or has opened: in words and as JSON, for the report of a restore and for its refusal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::directory::model::{
    ClosedAccess, ClosureKind, ComparisonExtent, GrantedAccess, NamedId, ReopenedAccess,
};

/// So many lines of a list are shown; --json has all.
const SHOWN: usize = 100;

/// What was found out about what was closed, as the report and a refusal tell it.
pub(super) fn add(
    json: &mut Value,
    comparison: &ComparisonExtent,
    closed: &[ClosedAccess],
    brings: Option<&GrantedAccess>,
) {
    if let Value::Object(told) = json {
        told.insert("comparison".to_owned(), comparison.as_str().into());
        told.insert("not_compared".to_owned(), comparison.why().into());
        told.insert("closed_since".to_owned(), closed.iter().map(ClosedAccess::json).collect());
        told.insert("brings".to_owned(), brings.map(GrantedAccess::json).into());
    }
}

/// Why nothing was restored, what would open, and how to go on: as text and as JSON.
pub(super) fn refusal(reopened: &ReopenedAccess) -> (String, Value) {
    let ReopenedAccess { created_at, comparison, closed, brings } = reopened;
    let mut text = "nothing was changed.\n".to_owned();
    if !closed.is_empty() {
        text += &format!(
            "What was closed since the backup of {created_at} would be open again ({} in all):\n",
            closed.len()
        );
        text += &list(closed.iter().map(line));
        text += "Give --keep-closed to keep it closed in what is restored (recommended), or --reopen-closed to let it open.\n";
    }
    if let Some(brings) = brings {
        let told = brought(brings, comparison);
        text += &format!("Before you go on: {told}Give --accept-revived to restore all the same");
        text += if *comparison == ComparisonExtent::Partial {
            ", with --keep-closed to keep closed what can be told.\n"
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

/// A name that somebody chose, harmless on a terminal.
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
        ClosureKind::AdminRemoved => format!("no admin any more: {user}"),
        ClosureKind::StaffRemoved => format!("no staff any more: {user}"),
        ClosureKind::PasswordChanged => format!("password changed: {user}"),
        ClosureKind::TokenRevoked => format!("token revoked: {token} of {user}, at {at}"),
        ClosureKind::TokenEnded => format!("token's end moved: {token} of {user}, to {at}"),
        ClosureKind::TokenDeleted => format!("token deleted: {token} of {user}"),
        ClosureKind::TokenMoved => format!("token of another user now: {token} of {user}"),
        ClosureKind::PermissionRemoved => format!("permission removed: {permission} of {user}"),
        ClosureKind::MembershipRemoved => format!("membership removed: {user} in {group}"),
        ClosureKind::GroupPermissionRemoved => {
            format!("permission of a group removed: {permission} of {group}")
        }
        ClosureKind::GroupDeleted => format!("group deleted: {group}"),
    }
}

pub(super) fn brought(brings: &GrantedAccess, comparison: &ComparisonExtent) -> String {
    let what = match comparison {
        ComparisonExtent::Partial => "it cannot be told wholly what was closed since the backup was made",
        _ => "it cannot be told what was closed since the backup was made",
    };
    let why = comparison.why().unwrap_or_default();
    let age = match brings.age {
        Some(age) => format!("is {} old", humantime::format_duration(whole_minutes(age))),
        None => "says that it was made later than now".to_owned(),
    };
    let GrantedAccess { users, admins, tokens, .. } = brings;
    let mut text = format!(
        "{what} ({why}). The backup {age}. It brings {users} active users, {} active admins and {} active tokens.\n",
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
