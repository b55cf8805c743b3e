//! Errors on the wire, in the framework's shape.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Any error that does not concern a field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "detail": "Invalid token." }))]
pub struct Detail {
    /// What is wrong, in one sentence.
    pub detail: String,
}

/// Errors of input: each field with its messages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "fields": ["\"nickname\" is not a valid choice."] }))]
pub struct FieldErrors(pub BTreeMap<String, Vec<String>>);

/// Errors of many items: in the order of the items, the errors of each, and nothing for the valid ones. Or errors of
/// the whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "users": [{}, { "username": ["user with this username already exists."] }] }))]
pub struct ItemErrors(pub BTreeMap<String, serde_json::Value>);

/// An error in the shape of RFC 9457, for clients that send `Accept: application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found", "detail": "Not found." }))]
pub struct Problem {
    /// Always `about:blank`: the status is the type of the problem.
    #[schema(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// The code for programs.
    pub code: String,
    /// What is wrong, in one sentence, if it concerns no field.
    pub detail: Option<String>,
    /// What is wrong with each field.
    pub errors: Option<BTreeMap<String, serde_json::Value>>,
}
