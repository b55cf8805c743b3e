//! What was done, by whom, to what: written in the same transaction as the change, so that a change
//! that cannot be audited does not happen.
//!
//! Each event carries the SHA-256 of itself and of the event before it. A row that is changed or taken
//! out later breaks the chain. No secret ever comes in here: neither keys nor passwords nor hashes.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::{Actor, Who};
use super::error::Error;
use super::model::{Group, Moment, Token, User};
use super::store::Tx;

/// One event, before it is linked into the trail.
pub(super) struct Event {
    pub(super) actor_kind: &'static str,
    pub(super) actor_id: Option<i64>,
    pub(super) actor_name: String,
    pub(super) action: &'static str,
    pub(super) object_kind: &'static str,
    pub(super) object_id: Option<i64>,
    pub(super) object_name: String,
    pub(super) changes: Value,
    pub(super) address: Option<String>,
    pub(super) request_id: Option<String>,
}

/// An event's place in the chain.
pub(super) struct Link {
    pub(super) previous_hash: Vec<u8>,
    pub(super) hash: Vec<u8>,
}

/// What something was done to.
pub(super) enum Object<'a> {
    User(&'a User),
    Group(&'a Group),
    Token(&'a Token),
    Directory,
}

/// Adds to the trail: `actor` did `action` to `object`, which changed `changes`.
pub(super) fn record(
    tx: &Tx<'_>,
    now: Moment,
    actor: &Actor,
    action: &'static str,
    object: &Object<'_>,
    changes: Value,
) -> Result<(), Error> {
    let event = event(actor, action, object, changes);
    let previous_hash = tx.audit_head()?;
    let hash = hash(&previous_hash, now, &event);
    tx.insert_event(now, &event, Link { previous_hash, hash })
}

fn event(actor: &Actor, action: &'static str, object: &Object<'_>, changes: Value) -> Event {
    let (actor_kind, actor_id, actor_name) = match &actor.who {
        Who::Operator(name) => ("operator", None, name.clone()),
        Who::Anonymous => ("anonymous", None, String::new()),
        Who::Person(identity) => ("person", Some(identity.user.id.get()), identity.user.username.clone()),
    };
    let (object_kind, object_id, object_name) = match object {
        Object::User(user) => ("user", Some(user.id.get()), user.username.clone()),
        Object::Group(group) => ("group", Some(group.id.get()), group.name.clone()),
        Object::Token(token) => ("token", Some(token.id.get()), token.name.clone()),
        Object::Directory => ("directory", None, String::new()),
    };
    let (address, request_id) = (actor.origin.address.clone(), actor.origin.request_id.clone());
    Event {
        actor_kind,
        actor_id,
        actor_name,
        action,
        object_kind,
        object_id,
        object_name,
        changes,
        address,
        request_id,
    }
}

/// SHA-256 over the hash before and a JSON array of all columns, in the table's order.
fn hash(previous: &[u8], at: Moment, event: &Event) -> Vec<u8> {
    let columns = json!([
        at.as_micros(),
        event.actor_kind,
        event.actor_id,
        event.actor_name,
        event.action,
        event.object_kind,
        event.object_id,
        event.object_name,
        event.changes.to_string(),
        event.address,
        event.request_id,
    ]);
    Sha256::new().chain_update(previous).chain_update(columns.to_string()).finalize().to_vec()
}

/// The fields in which two JSON objects differ, each as `[before, after]`.
pub(super) fn difference(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return json!({}) };
    let fields = after.iter().filter_map(|(field, new)| {
        let old = before.get(field).unwrap_or(&Value::Null);
        (old != new).then(|| (field.clone(), json!([old, new])))
    });
    Value::Object(fields.collect())
}

/// A user as the trail shows it.
pub(super) fn of_user(user: &User) -> Value {
    json!({
        "username": user.username,
        "mobile_number": user.mobile_number,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "gender": user.gender,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_admin": user.is_admin,
        "groups": user.groups.iter().map(|group| group.get()).collect::<Vec<_>>(),
    })
}

/// A token as the trail shows it: by its ends, never by its key.
pub(super) fn of_token(token: &Token) -> Value {
    json!({
        "user_id": token.user_id.get(),
        "name": token.name,
        "prefix": token.prefix,
        "last_four": token.last_four,
        "expires_at": token.expires_at.map(|end| end.to_string()),
    })
}
