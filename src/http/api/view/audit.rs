//! The audit trail on the wire.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use crate::directory::audit::Verification;
use crate::directory::model::{OBJECT_KINDS, RecordedEvent};
use crate::http::api::bodies::choices;

fn actor_kinds() -> Object {
    choices(
        "Who acted: a person, an operator at the command line, or anonymous.",
        ["person", "operator", "anonymous"],
    )
}

/// The kinds of objects that events are about.
pub(in crate::http::api) fn object_kinds() -> Object {
    choices("What it was done to; `directory` is all data together.", OBJECT_KINDS)
}

/// An event of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(AuditItem::sample()))]
pub struct AuditItem {
    /// Its number; later events have higher numbers.
    pub id: i64,
    /// When it happened, UTC, always six digits.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who acted: a `person`, an `operator` at the command line, or `anonymous`.
    #[schema(schema_with = actor_kinds)]
    pub actor_kind: String,
    /// The user's ID; null for other kinds.
    #[schema(required)]
    pub actor_id: Option<i64>,
    /// The actor's name at that time.
    pub actor_name: String,
    /// The action, such as `user.update`; one that ends with `.refused` was not performed.
    pub action: String,
    /// What it was done to; `directory` is all data together.
    #[schema(schema_with = object_kinds)]
    pub object_kind: String,
    /// The object's ID; null for `directory`.
    #[schema(required)]
    pub object_id: Option<i64>,
    /// The object's name at that time.
    pub object_name: String,
    /// The changed fields, each with its old and its new value; or details of the action.
    #[schema(value_type = Object)]
    pub changes: Value,
    /// The client's address; null at the command line.
    #[schema(required)]
    pub address: Option<String>,
    /// The request's ID, as in the log; null at the command line.
    #[schema(required)]
    pub request_id: Option<String>,
    /// The event's link in the chain, in hexadecimal digits.
    pub hash: String,
}

impl AuditItem {
    /// Shows an event of the trail.
    pub fn new(recorded: &RecordedEvent) -> Self {
        let event = &recorded.event;
        Self {
            id: recorded.id,
            at: recorded.at.to_string(),
            actor_kind: event.actor_kind.clone(),
            actor_id: event.actor_id,
            actor_name: event.actor_name.clone(),
            action: event.action.clone(),
            object_kind: event.object_kind.clone(),
            object_id: event.object_id,
            object_name: event.object_name.clone(),
            changes: serde_json::from_str(&event.changes).unwrap_or_default(),
            address: event.address.clone(),
            request_id: event.request_id.clone(),
            hash: recorded.link.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            id: 7,
            at: "2025-09-01T12:00:00.000000Z".into(),
            actor_kind: "person".into(),
            actor_id: Some(42),
            actor_name: "alex_thompson".into(),
            action: "user.update".into(),
            object_kind: "user".into(),
            object_id: Some(17),
            object_name: "sam_lee".into(),
            changes: json!({ "is_active": [true, false] }),
            address: Some("203.0.113.7".into()),
            request_id: Some("5f2a91c0-1b".into()),
            hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        }
    }
}

/// A page of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditListing {
    /// Absolute URL of the next page, of older events; null at the end.
    #[schema(required, format = "uri")]
    pub next: Option<String>,
    /// The events, newest first.
    pub results: Vec<AuditItem>,
}

/// The result of verifying the audit trail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(AuditVerification::sample()))]
pub struct AuditVerification {
    /// How many events are valid, from the first one.
    pub good: u64,
    /// The hash of the last valid event, in hexadecimal digits; empty if there is none.
    pub head: String,
    /// The number of the first event that breaks the chain; null if none does.
    #[schema(required)]
    pub broken_event: Option<i64>,
    /// Why the trail is not complete; null if it is.
    #[schema(required)]
    pub why: Option<&'static str>,
}

impl AuditVerification {
    /// Shows a result.
    pub fn new(found: &Verification) -> Self {
        Self {
            good: found.good,
            head: found.head.clone(),
            broken_event: found.broken.map(|(id, _)| id),
            why: found.why(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self { good: 90, head: AuditItem::sample().hash, broken_event: None, why: None }
    }
}
