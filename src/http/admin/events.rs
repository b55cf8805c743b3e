//! Events of the audit trail as sentences.

use super::event_words::{NamesOfGroups, RecordedField, ShownChange, details, groups_in};
use super::visit::Visit;
use super::words::When;
use crate::directory::access::{ReadAudit, holds_permission};
use crate::directory::audit::ACTIONS;
use crate::directory::model::{AuditFilter, Event, RecordedEvent, Timestamp, UserId};
use crate::http::app::App;
use crate::http::error::ApiError;

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
    /// The page of the actor; may be empty.
    pub(super) actor_path: String,
    /// What changed.
    pub(super) changes: Vec<ShownChange>,
    /// What else was recorded.
    pub(super) fields: Vec<RecordedField>,
    /// When.
    pub(super) at: When,
    /// Its number.
    pub(super) id: i64,
    /// The client's address; may be empty.
    pub(super) address: String,
    /// The request; may be empty.
    pub(super) request_id: String,
    /// Whether it says that something was refused.
    pub(super) is_refusal: bool,
}

/// The icon of what was refused.
const REFUSED: &str = "stop";

/// The sentence of an action: its icon and its words. `ACTIONS` has the meaning of those that are not here.
const SENTENCES: &[(&str, &str, &str)] = &[
    ("user.create", "user", "created"),
    ("user.update", "edit", "changed"),
    ("user.delete", "bin", "deleted"),
    ("user.restore", "undo", "restored"),
    ("user.purge", "bin", "removed permanently"),
    ("user.set_password", "lock", "set the password of"),
    ("user.set_password.refused", "stop", "gave a wrong current password for"),
    ("user.unlock", "lock", "unlocked"),
    ("code.request", "clock", "asked for a one-time code for"),
    ("code.verify", "sessions", "gave the right one-time code of"),
    ("code.refused", "stop", "gave a wrong one-time code for"),
    ("invitation.send", "user", "invited"),
    ("invitation.revoke", "bin", "revoked the invitation of"),
    ("password_reset.request", "lock", "asked for a link for the forgotten password of"),
    ("password_reset.refused", "stop", "asked for a link for a forgotten password and got none:"),
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
    ("view.save", "save", "saved a view of a list:"),
    ("view.remove", "bin", "removed a saved view of a list:"),
    ("message.queue", "clock", "queued a message"),
    ("message.sent", "out", "sent a message to"),
    ("message.failed", "stop", "gave up a message to"),
    ("message.retry", "undo", "tried a message again to"),
    ("message.drop", "bin", "withdrew a message to"),
    ("secrets.rotate", "lock", "replaced the secrets key"),
    ("directory.import", "save", "imported rows"),
    ("directory.restore", "undo", "restored a backup"),
];

impl ShownEvent {
    /// Shows events, with the names of groups that the person may read.
    pub(super) async fn all(
        app: &App,
        visit: &Visit,
        events: &[RecordedEvent],
    ) -> Result<Vec<Self>, ApiError> {
        let names = app.directory().group_names(&visit.actor, &groups_in(events)).await?;
        Ok(events.iter().map(|event| Self::with_names(event, visit.request.now, &names)).collect())
    }

    /// Whether an event says that something was refused.
    pub(super) fn is_of_refusal(recorded: &RecordedEvent) -> bool {
        sentence(&recorded.event.action).0 == REFUSED
    }

    /// Shows an event, with the names of groups.
    pub(super) fn with_names(recorded: &RecordedEvent, now: Timestamp, names: &NamesOfGroups) -> Self {
        let event = &recorded.event;
        let (icon, verb) = sentence(&event.action);
        let (changes, fields) = details(recorded, names);
        Self {
            icon,
            actor: actor(event),
            verb,
            object: event.object_name.clone(),
            path: path(&event.object_kind, event.object_id),
            actor_path: actor_path(event),
            changes,
            fields,
            at: When::of(recorded.at, now),
            id: recorded.id,
            address: event.address.clone().unwrap_or_default(),
            request_id: event.request_id.clone().unwrap_or_default(),
            is_refusal: icon == REFUSED,
        }
    }
}

/// The icon of an action, and its words after the actor.
fn sentence(action: &str) -> (&'static str, &'static str) {
    let known = SENTENCES.iter().find(|(known, ..)| *known == action);
    let meaning = || ACTIONS.iter().find(|(known, _)| *known == action).map_or("did", |(_, text)| *text);
    known.map_or_else(|| ("info", meaning()), |(_, icon, verb)| (*icon, *verb))
}

/// Who did it, in words.
fn actor(event: &Event) -> String {
    match (event.actor_kind.as_str(), event.actor_name.as_str()) {
        ("anonymous", _) => "Someone".to_owned(),
        ("operator", name) => format!("Operator {name}"),
        (_, name) => name.to_owned(),
    }
}

/// The page of the person who did it; empty if no person did.
fn actor_path(event: &Event) -> String {
    match event.actor_kind.as_str() {
        "person" => path_of_user(event.actor_id),
        _ => String::new(),
    }
}

/// The latest events about a user, for a person who may read them.
pub(super) async fn events_of_user(
    app: &App,
    visit: &Visit,
    id: UserId,
    limit: u32,
) -> Result<Option<Vec<ShownEvent>>, ApiError> {
    if !holds_permission::<ReadAudit>(&visit.identity) {
        return Ok(None);
    }
    let (object_kind, object_id) = (Some("user".to_owned()), Some(id.get()));
    let filter = AuditFilter { object_kind, object_id, ..AuditFilter::default() };
    let events = app.directory().audit_events(&visit.actor, &filter, limit).await?;
    Ok(Some(ShownEvent::all(app, visit, &events).await?))
}

/// The page of an object; empty if it has none. An object that is gone has no page either, which its link shows.
fn path(kind: &str, id: Option<i64>) -> String {
    match (kind, id) {
        ("user", id) => path_of_user(id),
        ("group", Some(id)) => format!("/admin/groups/{id}"),
        ("permission", Some(id)) => format!("/admin/permissions/{id}"),
        _ => String::new(),
    }
}

fn path_of_user(id: Option<i64>) -> String {
    id.map(|id| format!("/admin/users/{id}")).unwrap_or_default()
}
