//! What was done, by whom, to what: written in the same transaction as the change, so that a change
//! that cannot be audited does not happen.
//!
//! Each event carries the SHA-256 of itself and of the event before it. A row that is changed or taken
//! out later breaks the chain. No secret ever comes in here: neither keys nor passwords nor hashes.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Directory;
use super::access::{Action, Actor, Who, authorize};
use super::change::Change;
use super::error::Error;
use super::model::{AuditFilter, ChainLink, Event, Group, RecordedEvent, Timestamp, Token, User, UserId};
use super::store::{self, Tx};

/// How a walk along the whole chain came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Events that fit.
    pub good: u64,
    /// The hash of the last event that fits. Kept elsewhere, it shows whether events were cut off at the end,
    /// which a chain cannot show by itself.
    pub head: String,
    /// Whether the head that was expected is in the chain; `None` when none was.
    pub expected_seen: Option<bool>,
    /// The first event that does not fit, and why.
    pub broken: Option<(i64, &'static str)>,
}

/// Events of one page of an export.
pub const EXPORT_PAGE: usize = 500;

/// Rows read at once; the walk's memory.
const PAGE: i64 = 1000;

impl Directory {
    /// Events, newest first, at most 1000.
    pub async fn audit_events(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, Error> {
        authorize(actor, Action::ReadAudit)?;
        self.store.all(store::audit::list(filter, limit.min(1000).into())).await
    }

    /// Events that the filter keeps, oldest first, from after a number on: at most [`EXPORT_PAGE`], each with its
    /// number and as a line of JSON that can be verified by itself.
    ///
    /// `hash` is the SHA-256 of `previous_hash`, as bytes, and of the text `hashed`.
    pub async fn export_audit(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        after: i64,
    ) -> Result<Vec<(i64, String)>, Error> {
        // Each page is a request of its own: an export goes on for no longer than its caller's token and rights.
        authorize(&self.confirm(actor).await?, Action::ReadAudit)?;
        let limit = i64::try_from(EXPORT_PAGE).unwrap_or(PAGE);
        let page: Vec<RecordedEvent> =
            self.store.all(store::audit::filtered_page(filter, after, limit)).await?;
        Ok(page.iter().map(|recorded| (recorded.id, line(recorded))).collect())
    }

    /// Walks the whole chain, as it is at one moment, from its first event, in constant memory.
    pub async fn verify_audit(&self, actor: &Actor, expected: Option<&str>) -> Result<Verification, Error> {
        authorize(actor, Action::ReadAudit)?;
        let expected = expected.map(str::to_owned);
        self.store.snapshot(move |tx| walk(tx, expected.as_deref())).await
    }
}

/// Walks the whole chain from its first event.
pub(super) fn walk(tx: &Tx<'_>, expected: Option<&str>) -> Result<Verification, Error> {
    let seen = expected.map(|_| false);
    let mut walk = Verification { good: 0, head: String::new(), expected_seen: seen, broken: None };
    let (mut after, mut head) = (0, Vec::new());
    loop {
        let page: Vec<RecordedEvent> = tx.all(&store::audit::page(after, PAGE))?;
        let Some(last) = page.last() else { return Ok(walk) };
        after = last.id;
        for recorded in page {
            if let Some(why) = misfit(&head, &recorded) {
                walk.broken = Some((recorded.id, why));
                return Ok(walk);
            }
            walk.good += 1;
            head = recorded.link.hash;
            walk.head = head.iter().map(|byte| format!("{byte:02x}")).collect();
            walk.expected_seen = walk.expected_seen.map(|seen| seen || Some(walk.head.as_str()) == expected);
        }
    }
}

/// An event as a line that can be verified by itself.
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

/// Why an event does not continue the chain whose head this is.
fn misfit(head: &[u8], recorded: &RecordedEvent) -> Option<&'static str> {
    if recorded.link.previous_hash != head {
        Some("it does not continue the event before it: one was taken out, put in or moved")
    } else if recorded.link.hash != hash(head, recorded.at, &recorded.event) {
        Some("it was changed after it was written")
    } else {
        None
    }
}

/// What something was done to.
pub(super) enum Object<'a> {
    User(&'a User),
    Group(&'a Group),
    Token(&'a Token),
    /// A user of whom only id and name are known any more.
    Gone(UserId, &'a str),
    Directory,
}

/// Adds to the trail: the actor of `change` did `action` to `object`, which changed `changes`.
pub(super) fn record(
    change: &Change<'_, '_>,
    action: &'static str,
    object: &Object<'_>,
    changes: Value,
) -> Result<(), Error> {
    let event = event(&change.actor, action, object, &changes);
    let previous_hash = change.tx.audit_head()?;
    let hash = hash(&previous_hash, change.now, &event);
    change.tx.insert_event(change.now, &event, ChainLink { previous_hash, hash })
}

fn event(actor: &Actor, action: &str, object: &Object<'_>, changes: &Value) -> Event {
    let (actor_kind, actor_id, actor_name) = match &actor.who {
        Who::Operator(name) => ("operator", None, name.clone()),
        Who::Anonymous => ("anonymous", None, String::new()),
        Who::Person(identity) => ("person", Some(identity.user.id.get()), identity.user.username.clone()),
    };
    let (object_kind, object_id, object_name) = match object {
        Object::User(user) => ("user", Some(user.id.get()), user.username.clone()),
        Object::Group(group) => ("group", Some(group.id.get()), group.name.clone()),
        Object::Token(token) => ("token", Some(token.id.get()), token.name.clone()),
        Object::Gone(id, username) => ("user", Some(id.get()), (*username).to_owned()),
        Object::Directory => ("directory", None, String::new()),
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

/// SHA-256 over the hash before and a JSON array of all columns, in the table's order.
fn hash(previous: &[u8], at: Timestamp, event: &Event) -> Vec<u8> {
    let text = hashed(at, event);
    Sha256::new().chain_update(previous).chain_update(text).finalize().to_vec()
}

/// The text that an event's hash is of.
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

/// What the trail shows of an object.
pub(super) type Picture = Vec<(&'static str, Value)>;

/// The whole picture, as JSON.
pub(super) fn whole(picture: Picture) -> Value {
    Value::Object(picture.into_iter().map(|(field, value)| (field.to_owned(), value)).collect())
}

/// The fields in which two pictures of the same object differ, each as `[before, after]`.
pub(super) fn difference(before: Picture, after: Picture) -> Value {
    let fields = before.into_iter().zip(after).filter(|(old, new)| old != new);
    Value::Object(
        fields.map(|((field, old), (_, new))| (field.to_owned(), Value::Array(vec![old, new]))).collect(),
    )
}

/// A token as the trail shows it: by its ends, never by its key.
pub(super) fn of_token(token: &Token) -> Picture {
    vec![
        ("user_id", token.user_id.get().into()),
        ("name", token.name.as_str().into()),
        ("prefix", token.prefix.as_str().into()),
        ("last_four", token.last_four.as_str().into()),
        ("expires_at", token.expires_at.map(|end| end.to_string()).into()),
        ("kind", token.kind.as_str().into()),
        ("made_by", token.made_by.as_str().into()),
    ]
}
