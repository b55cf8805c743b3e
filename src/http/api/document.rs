//! The parts that all operations of the OpenAPI document share: HTTP's own errors, errors as problems, and examples.

mod examples;
mod parts;
mod plain;

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use self::examples::Examples;
use self::parts::{is_error, schema_of, set};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const PROTOCOL: &str = "Any other error, of HTTP itself: a method that the path does not have (405), a request that is too slow \
    (408) or too large (413, 414, 431), or an expectation that cannot be met (417).";
const WRITTEN: &str = "without the permission to read it, only the id and the written fields";
/// What callers who may write a record but not read it get of these.
const NARROWED: [&str; 4] = ["UserRecord", "GroupItem", "TokenItem", "UserItems"];

/// Writes the document as JSON and adds what all operations share.
pub(super) fn complete(document: &OpenApi) -> Value {
    // It consists of texts and maps, which can always be written as JSON.
    let mut value = serde_json::to_value(document).unwrap_or_default();
    plain::make_schemas_plain(&mut value);
    let schemas = value.pointer("/components/schemas").cloned().unwrap_or_default();
    let examples = Examples::of(&schemas);
    let paths = value.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(Map::values_mut);
    for item in items.filter_map(Value::as_object_mut) {
        let operations = item.iter_mut().filter(|(method, _)| METHODS.contains(&method.as_str()));
        for (method, operation) in operations {
            complete_operation(operation, method != "get", &examples);
        }
    }
    set(&mut value, "servers", json!([{ "url": "/", "description": "This server" }]));
    if let Some(info) = value.get_mut("info") {
        set(info, "license", json!({ "name": "Apache-2.0 OR MIT" }));
    }
    drop_unused(&mut value);
    value
}

fn complete_operation(operation: &mut Value, writes: bool, examples: &Examples<'_>) {
    // An operation that needs no token states that.
    if operation.get("security").is_none() {
        set(operation, "security", json!([]));
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        plain::make_parameter_plain(parameter);
    }
    if let Some(body) = operation.get_mut("requestBody") {
        let needs_fields = schema_of(body).is_some_and(|schema| examples.needs_fields(schema));
        set(body, "required", needs_fields.into());
    }
    let refused = examples.refused_field(operation);
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    complete_responses(responses);
    for (status, response) in responses {
        if writes && ["200", "201"].contains(&status.as_str()) {
            mention_narrowing(response);
        }
        examples.add_to(status, response, &refused);
    }
}

/// Says what callers get who may write a record but not read it.
fn mention_narrowing(response: &mut Value) {
    let schema = schema_of(response).and_then(|schema| schema.get("$ref")?.as_str()?.rsplit('/').next());
    if schema.is_some_and(|name| NARROWED.contains(&name)) {
        let said = response.get("description").and_then(Value::as_str).unwrap_or_default();
        let said = format!("{said}; {WRITTEN}");
        set(response, "description", said.into());
    }
}

/// Removes schemas that nothing refers to, such as those of parts that several bodies share.
fn drop_unused(document: &mut Value) {
    let text = document.to_string();
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    if let Some(schemas) = schemas {
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
    }
}

fn complete_responses(responses: &mut Map<String, Value>) {
    let detail = json!({ "$ref": "#/components/schemas/Detail" });
    let body = |schema: &Value| json!({ "application/json": { "schema": schema } });
    // Errors about the host, headers and unreadable bodies belong to no field.
    let schema = match responses.get("400").and_then(schema_of) {
        Some(schema) if *schema != detail => json!({ "anyOf": [schema, detail] }),
        _ => detail.clone(),
    };
    let bad = responses.entry("400").or_insert(json!({ "description": "The request cannot be read." }));
    set(bad, "content", body(&schema));
    responses.insert("default".to_owned(), json!({ "description": PROTOCOL, "content": body(&detail) }));
    for (status, response) in responses {
        let content = response.get_mut("content").and_then(Value::as_object_mut);
        if let Some(content) = content.filter(|_| is_error(status)) {
            let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
            content.insert("application/problem+json".to_owned(), problem);
        }
    }
}
