//! The audit trail: who did what to what. An event is written in the same transaction as its change, so a change that cannot
//! be audited does not happen.
//!
//! Each event carries the SHA-256 of itself and of the event before it. A row that is changed or removed later breaks the
//! chain. No secret is ever recorded: no keys, no passwords, no hashes.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Directory;
use super::access::{Action, Actor, Who, authorize, scope_list};
use super::change::Change;
use super::error::Error;
use super::model::{
    AuditFilter, ChainLink, Event, Group, GroupId, Networks, Permission, RecordedEvent, Timestamp, Token,
    User, UserId,
};
use super::store::{self, Tx};

/// The result of verifying the whole chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Events that are intact.
    pub good: u64,
    /// The hash of the last intact event. Kept elsewhere, it shows whether events were cut off at the end, which the chain alone
    /// cannot show.
    pub head: String,
    /// Whether the expected head is in the chain; `None` if none was given.
    pub expected_seen: Option<bool>,
    /// The number of the first event that breaks the chain, and why.
    pub broken: Option<(i64, &'static str)>,
}

impl Verification {
    /// Why the trail is not complete; `None` if it is.
    pub fn why(&self) -> Option<&'static str> {
        match (self.broken, self.expected_seen) {
            (Some((_, why)), _) => Some(why),
            (None, Some(false)) => {
                Some("the expected head is not in the chain: events were cut off or rewritten")
            }
            (None, _) => None,
        }
    }
}

/// Every action that is recorded, and what it means.
pub const ACTIONS: [(&str, &str); 53] = [
    ("code.limit", "no more one-time codes were sent, because all accounts together had too many in an hour"),
    ("code.refused", "a one-time code was wrong, used or expired"),
    ("code.request", "a one-time code was asked for; the details say whether it was sent"),
    ("code.verify", "a one-time code was right"),
    ("directory.import", "rows were imported"),
    ("directory.restore", "a backup was restored"),
    ("group.add_members", "users were added to a group"),
    ("group.create", "a group was created"),
    ("group.delete", "a group was deleted"),
    ("group.purge", "a deleted group was removed permanently"),
    ("group.remove_members", "users were removed from a group"),
    ("group.restore", "a deleted group was restored"),
    ("group.update", "a group was changed"),
    ("invitation.revoke", "an invitation was revoked"),
    ("invitation.send", "a user was invited to set a password"),
    ("message.drop", "a message was withdrawn before it was sent"),
    ("message.failed", "a message was given up, or expired"),
    ("message.queue", "an operator queued a message"),
    ("message.retry", "a message was to be tried again at once"),
    ("message.sent", "a message was sent"),
    ("notice.left_out", "a notice was not sent because the outbox was full"),
    ("password_reset.refused", "a link for a forgotten password was asked for, and none was sent"),
    ("password_reset.request", "a user was sent a link for a forgotten password"),
    ("permission.create", "a permission was created"),
    ("permission.remove", "a permission was removed"),
    ("permission.rename", "a permission got another name"),
    ("refusals.left_out", "refusals that were counted only, because there were too many"),
    ("request.refused", "requests of a user or client were refused"),
    ("secrets.rotate", "values were encrypted again with another secrets key"),
    ("sign_in", "a user signed in, with a password or with what the event names as proof"),
    ("sign_in.confirm", "a user proved again who they are, in a browser session"),
    ("sign_in.idle", "sign-ins ended because they were not used"),
    ("sign_in.refused", "a sign-in failed"),
    ("sign_out", "a user was signed out"),
    ("token.find", "someone looked up whose a key is"),
    ("token.issue", "a token was issued"),
    ("token.leaked", "a token was revoked because its key was reported as leaked"),
    ("token.prune", "ended tokens were deleted"),
    ("token.refused", "requests with an ended token, or from outside its networks, were refused"),
    ("token.revoke", "a token was revoked"),
    ("token.rotate", "a token got a new key"),
    ("token.update", "a token was renamed, its expiry was moved, or it was narrowed to something else"),
    ("user.create", "a user was created"),
    ("user.delete", "a user was deleted"),
    ("user.purge", "a deleted user was removed permanently"),
    ("user.restore", "a deleted user was restored"),
    ("user.set_password", "a password was set"),
    ("user.set_password.refused", "a user gave a wrong current password"),
    ("user.unlock", "failed sign-ins of a user were forgotten"),
    ("user.update", "a user was changed"),
    ("value.taken", "callers met usernames, addresses or numbers that others have"),
    ("view.remove", "a user removed a saved view of a list"),
    ("view.save", "a user saved a view of a list"),
];

/// Events of one page of an export.
pub const EXPORT_PAGE: usize = 500;

/// Rows read at once when the chain is verified.
const PAGE: i64 = 1000;

impl Directory {
    /// Returns events, newest first, at most 1001: a page of 1000 and the first event of the next.
    pub async fn audit_events(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, Error> {
        authorize(actor, Action::ReadAudit)?;
        self.store.all(store::audit::list(filter, limit.min(1001).into())).await
    }

    /// Returns the query plan of the database for a page of events.
    pub async fn explain_audit(&self, actor: &Actor, filter: &AuditFilter) -> Result<String, Error> {
        authorize(actor, Action::ReadAudit)?;
        self.store.plan(store::audit::list(filter, 51)).await
    }

    /// Returns the events of a filter after a number, oldest first, at most [`EXPORT_PAGE`]. Each has its number and a line of
    /// JSON that can be verified by itself: `hash` is the SHA-256 of the bytes of `previous_hash` and of the text `hashed`.
    pub async fn export_audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        after: i64,
    ) -> Result<Vec<(i64, String)>, Error> {
        // Checked for each page: an export ends with its caller's token and rights.
        authorize(&self.confirm(actor).await?, Action::ReadAudit)?;
        let limit = i64::try_from(EXPORT_PAGE).unwrap_or(PAGE);
        let page: Vec<RecordedEvent> =
            self.store.all(store::audit::filtered_page(filter, after, limit)).await?;
        Ok(page.iter().map(|recorded| (recorded.id, line(recorded))).collect())
    }

    /// Verifies the whole chain from its first event, in one snapshot and in constant memory.
    pub async fn verify_audit(&self, actor: &Actor, expected: Option<&str>) -> Result<Verification, Error> {
        authorize(actor, Action::ReadAudit)?;
        let expected = expected.map(str::to_owned);
        self.store.snapshot(move |tx| verify_chain(tx, expected.as_deref())).await
    }
}

/// Verifies the whole chain from its first event.
pub(super) fn verify_chain(tx: &Tx<'_>, expected: Option<&str>) -> Result<Verification, Error> {
    let seen = expected.map(|_| false);
    let mut result = Verification { good: 0, head: String::new(), expected_seen: seen, broken: None };
    let (mut after, mut head) = (0, Vec::new());
    loop {
        let page: Vec<RecordedEvent> = tx.all(&store::audit::page(after, PAGE))?;
        let Some(last) = page.last() else { return Ok(result) };
        after = last.id;
        for recorded in page {
            if let Some(why) = broken_link(&head, &recorded) {
                result.broken = Some((recorded.id, why));
                return Ok(result);
            }
            result.good += 1;
            head = recorded.link.hash;
            result.head = head.iter().map(|byte| format!("{byte:02x}")).collect();
            result.expected_seen =
                result.expected_seen.map(|seen| seen || Some(result.head.as_str()) == expected);
        }
    }
}

/// Formats an event as a line that can be verified by itself.
fn line(recorded: &RecordedEvent) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut line = recorded.to_json();
    if let Value::Object(line) = &mut line {
        line.insert("previous_hash".to_owned(), hex(&recorded.link.previous_hash).into());
        line.insert("hash".to_owned(), hex(&recorded.link.hash).into());
        line.insert("hashed".to_owned(), hashed(recorded.at, &recorded.event).into());
    }
    format!("{line}\n")
}

/// Returns why an event does not continue the chain with this head.
fn broken_link(head: &[u8], recorded: &RecordedEvent) -> Option<&'static str> {
    if recorded.link.previous_hash != head {
        Some("it does not continue the event before it: one was taken out, put in or moved")
    } else if recorded.link.hash != hash(head, recorded.at, &recorded.event) {
        Some("it was changed after it was written")
    } else {
        None
    }
}

/// The object of an action.
pub(super) enum AuditObject<'a> {
    User(&'a User),
    Group(&'a Group),
    Token(&'a Token),
    Permission(&'a Permission),
    /// A user whose id and name alone are still known.
    Gone(UserId, &'a str),
    /// A group whose id and name alone are still known.
    GoneGroup(GroupId, &'a str),
    Directory,
}

/// Adds an event to the trail: the actor of `change` did `action` to `object`, with the details in `changes`.
pub(super) fn record(
    change: &Change<'_, '_>,
    action: &'static str,
    object: &AuditObject<'_>,
    changes: Value,
) -> Result<(), Error> {
    let event = event(&change.actor, action, object, &changes);
    let previous_hash = change.tx.audit_head()?;
    let hash = hash(&previous_hash, change.now, &event);
    change.tx.insert_event(change.now, &event, ChainLink { previous_hash, hash })
}

fn event(actor: &Actor, action: &str, object: &AuditObject<'_>, changes: &Value) -> Event {
    let (actor_kind, actor_id, actor_name) = match &actor.who {
        Who::Operator(name) => ("operator", None, name.clone()),
        Who::Anonymous => ("anonymous", None, String::new()),
        Who::Person(identity) => ("person", Some(identity.user.id.get()), identity.user.username.clone()),
    };
    let (object_kind, object_id, object_name) = match object {
        AuditObject::User(user) => ("user", Some(user.id.get()), user.username.clone()),
        AuditObject::Group(group) => ("group", Some(group.id.get()), group.name.clone()),
        AuditObject::Token(token) => ("token", Some(token.id.get()), token.name.clone()),
        AuditObject::Permission(one) => ("permission", Some(one.id.get()), one.name.clone()),
        AuditObject::Gone(id, username) => ("user", Some(id.get()), (*username).to_owned()),
        AuditObject::GoneGroup(id, name) => ("group", Some(id.get()), (*name).to_owned()),
        AuditObject::Directory => ("directory", None, String::new()),
    };
    Event {
        actor_kind: actor_kind.to_owned(),
        actor_id,
        actor_name,
        action: action.to_owned(),
        object_kind: object_kind.to_owned(),
        object_id,
        object_name,
        changes: changes.to_string(),
        address: actor.origin.address.clone(),
        request_id: actor.origin.request_id.clone(),
    }
}

/// Computes the SHA-256 of the previous hash and of a JSON array of all columns, in the order of the table.
fn hash(previous: &[u8], at: Timestamp, event: &Event) -> Vec<u8> {
    let text = hashed(at, event);
    Sha256::new().chain_update(previous).chain_update(text).finalize().to_vec()
}

/// Returns the text that an event's hash is computed from.
fn hashed(at: Timestamp, event: &Event) -> String {
    let columns = (
        at.as_micros(),
        &event.actor_kind,
        event.actor_id,
        &event.actor_name,
        &event.action,
        &event.object_kind,
        event.object_id,
        &event.object_name,
        &event.changes,
        &event.address,
        &event.request_id,
    );
    // Writing plain data to memory does not fail.
    serde_json::to_string(&columns).unwrap_or_default()
}

/// The fields of an object that the trail shows.
pub(super) type AuditSnapshot = Vec<(&'static str, Value)>;

/// Returns all fields as JSON.
pub(super) fn all_fields(snapshot: AuditSnapshot) -> Value {
    Value::Object(snapshot.into_iter().map(|(field, value)| (field.to_owned(), value)).collect())
}

/// Returns the fields in which two snapshots of an object differ, each as `[before, after]`.
pub(super) fn difference(before: AuditSnapshot, after: AuditSnapshot) -> Value {
    let fields = before.into_iter().zip(after).filter(|(old, new)| old != new);
    Value::Object(
        fields.map(|((field, old), (_, new))| (field.to_owned(), Value::Array(vec![old, new]))).collect(),
    )
}

/// Returns the fields of a token that the trail shows: both ends of its key, never the key.
pub(super) fn token_snapshot(token: &Token) -> AuditSnapshot {
    vec![
        ("user_id", token.user_id.get().into()),
        ("name", token.name.as_str().into()),
        ("prefix", token.prefix.as_str().into()),
        ("last_four", token.last_four.as_str().into()),
        ("expires_at", token.expires_at.map(|end| end.to_string()).into()),
        ("kind", token.kind.as_str().into()),
        ("made_by", token.made_by.as_str().into()),
        ("scopes", token.narrowing.scopes.as_ref().map(scope_list).into()),
        ("read_only", token.narrowing.read_only.into()),
        ("allowed_networks", token.narrowing.allowed_networks.as_ref().map(Networks::texts).into()),
    ]
}
