//! What reads and writes parts of the document.

use serde_json::Value;

/// Whether a response of this status is an error.
pub(super) fn is_error(status: &str) -> bool {
    status == "default" || status.starts_with(['4', '5'])
}

/// The schema of a response, or of the body of a request: of a form, if it cannot be JSON.
pub(super) fn schema_of(response: &Value) -> Option<&Value> {
    let content = response.get("content")?;
    let body =
        content.get("application/json").or_else(|| content.get("application/x-www-form-urlencoded"))?;
    body.get("schema")
}

/// Sets a member of an object.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}
