//! What errors look like on the wire, in the framework's shape.

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

/// Errors of many items: for each in its place its errors, and nothing for the good ones. Or errors of the whole.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "users": [{}, { "username": ["user with this username already exists."] }] }))]
pub struct ItemErrors(pub BTreeMap<String, serde_json::Value>);
