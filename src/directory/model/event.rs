//! An event of the audit trail.

use serde_json::{Value, json};

use super::Timestamp;

/// An action, its actor, its object and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `operator`, `person` or `anonymous`.
    pub actor_kind: String,
    /// The person's id.
    pub actor_id: Option<i64>,
    /// The operator's or person's name at the time.
    pub actor_name: String,
    /// Such as `user.update`.
    pub action: String,
    /// One of [`OBJECT_KINDS`].
    pub object_kind: String,
    /// The object's id.
    pub object_id: Option<i64>,
    /// The object's name at the time.
    pub object_name: String,
    /// What changed, as JSON text: `{"field": [before, after]}`, or details of the action.
    pub changes: String,
    /// The client's address.
    pub address: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

/// The kinds of objects that an event can have.
pub const OBJECT_KINDS: [&str; 5] = ["user", "group", "permission", "token", "directory"];

/// An event's place in the hash chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// The hash of the event before it; empty for the first.
    pub previous_hash: Vec<u8>,
    /// SHA-256 of the above and of the event.
    pub hash: Vec<u8>,
}

/// An event as stored in the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its number. Numbers may be left out, but never occur twice.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
    /// Its place in the chain.
    pub link: ChainLink,
}

impl RecordedEvent {
    /// Returns the event as JSON, without its place in the chain.
    pub fn to_json(&self) -> Value {
        let event = &self.event;
        json!({
            "id": self.id,
            "at": self.at.to_string(),
            "actor_kind": event.actor_kind,
            "actor_id": event.actor_id,
            "actor_name": event.actor_name,
            "action": event.action,
            "object_kind": event.object_kind,
            "object_id": event.object_id,
            "object_name": event.object_name,
            "changes": serde_json::from_str::<Value>(&event.changes).unwrap_or_default(),
            "address": event.address,
            "request_id": event.request_id,
        })
    }
}

/// Narrows a list of events. All given conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only events before this number: where the last page ended.
    pub before: Option<i64>,
    /// Only this action.
    pub action: Option<String>,
    /// Only actions of this person.
    pub actor_id: Option<i64>,
    /// Only actions of an actor who has this name now, or had it then.
    pub actor_name: Option<String>,
    /// Only actions on objects of this kind.
    pub object_kind: Option<String>,
    /// Only actions on the object with this id.
    pub object_id: Option<i64>,
    /// Only actions on an object that has this name now, or had it then.
    pub object_name: Option<String>,
    /// Only from this client's address.
    pub address: Option<String>,
    /// Only from this time on.
    pub from: Option<Timestamp>,
    /// Only before this time.
    pub to: Option<Timestamp>,
}
