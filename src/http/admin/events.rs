//! Events of the audit trail as sentences.

use serde_json::Value;

use super::words::When;
use crate::directory::audit::ACTIONS;
use crate::directory::model::{RecordedEvent, Timestamp};

/// An event as a page shows it.
pub(super) struct ShownEvent {
    /// Its icon.
    pub(super) icon: &'static str,
    /// Who did it.
    pub(super) actor: String,
    /// What happened, after the actor.
    pub(super) verb: &'static str,
    /// The name of the object; may be empty.
    pub(super) object: String,
    /// The page of the object; may be empty.
    pub(super) path: String,
    /// What changed.
    pub(super) changes: Vec<ShownChange>,
    /// When.
    pub(super) at: When,
}

/// A field that changed.
pub(super) struct ShownChange {
    /// The field.
    pub(super) field: String,
    /// The value before.
    pub(super) before: String,
    /// The value after.
    pub(super) after: String,
}

/// The sentence of an action: its icon and its words. `ACTIONS` has the meaning of those that are not here.
const SENTENCES: &[(&str, &str, &str)] = &[
    ("user.create", "user", "created"),
    ("user.update", "edit", "changed"),
    ("user.delete", "bin", "moved to the recycle bin"),
    ("user.restore", "undo", "restored"),
    ("user.purge", "bin", "removed permanently"),
    ("user.set_password", "lock", "set the password of"),
    ("user.set_password.refused", "stop", "gave a wrong current password for"),
    ("user.unlock", "lock", "unlocked"),
    ("group.create", "groups", "created the group"),
    ("group.update", "groups", "changed the group"),
    ("group.delete", "bin", "deleted the group"),
    ("group.restore", "undo", "restored the group"),
    ("group.purge", "bin", "removed permanently the group"),
    ("group.add_members", "groups", "added members to"),
    ("group.remove_members", "groups", "removed members from"),
    ("permission.create", "permissions", "created the permission"),
    ("permission.rename", "permissions", "renamed the permission"),
    ("permission.remove", "permissions", "removed the permission"),
    ("sign_in", "sessions", "signed in as"),
    ("sign_in.confirm", "lock", "confirmed who they are:"),
    ("sign_in.refused", "stop", "failed to sign in as"),
    ("sign_in.idle", "clock", "ended sign-ins that were not used"),
    ("sign_out", "out", "signed out"),
    ("token.issue", "token", "issued the token"),
    ("token.update", "token", "changed the token"),
    ("token.rotate", "token", "gave a new key to the token"),
    ("token.revoke", "token", "revoked the token"),
    ("token.leaked", "stop", "reported as leaked the token"),
    ("token.refused", "stop", "was refused with an ended token of"),
    ("token.find", "search", "looked up whose a key is"),
    ("token.prune", "clock", "deleted ended tokens"),
    ("request.refused", "stop", "was refused a request"),
    ("directory.import", "save", "imported rows"),
    ("directory.restore", "undo", "restored a backup"),
];

/// The most fields of one event that a page shows.
const CHANGES_MAX: usize = 8;
/// The longest value that a page shows, in characters.
const VALUE_MAX: usize = 120;

impl ShownEvent {
    /// Shows an event.
    pub(super) fn of(recorded: &RecordedEvent, now: Timestamp) -> Self {
        let event = &recorded.event;
        let known = SENTENCES.iter().find(|(action, ..)| *action == event.action);
        let meaning =
            || ACTIONS.iter().find(|(action, _)| *action == event.action).map_or("did", |(_, text)| *text);
        let (icon, verb) = known.map_or_else(|| ("info", meaning()), |(_, icon, verb)| (*icon, *verb));
        let actor = match (event.actor_kind.as_str(), event.actor_name.as_str()) {
            ("anonymous", _) => "Someone".to_owned(),
            ("operator", name) => format!("Operator {name}"),
            (_, name) => name.to_owned(),
        };
        let path = match (event.object_kind.as_str(), event.object_id) {
            ("user", Some(id)) => format!("/admin/users/{id}"),
            _ => String::new(),
        };
        Self {
            icon,
            actor,
            verb,
            object: event.object_name.clone(),
            path,
            changes: changes(&event.changes),
            at: When::of(recorded.at, now),
        }
    }
}

/// Reads the fields that changed: those with a value before and one after.
fn changes(json: &str) -> Vec<ShownChange> {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return Vec::new() };
    let changed = fields.into_iter().filter_map(|(field, value)| match value {
        Value::Array(pair) => match <[Value; 2]>::try_from(pair) {
            Ok([before, after]) => Some(ShownChange {
                field: field.replace('_', " "),
                before: shown(&before),
                after: shown(&after),
            }),
            Err(_) => None,
        },
        _ => None,
    });
    changed.take(CHANGES_MAX).collect()
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{} and more", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
