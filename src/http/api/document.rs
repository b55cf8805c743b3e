//! The parts that all operations of the OpenAPI document share: HTTP's own errors, and errors as problems.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const PROTOCOL: &str = "Any other error, of HTTP itself: a method that the path does not have (405), a request that is too slow \
    (408) or too large (413, 414, 431), or an expectation that cannot be met (417).";

/// Writes the document as JSON and adds what all operations share.
pub(super) fn complete(document: &OpenApi) -> Value {
    // It consists of texts and maps, which can always be written as JSON.
    let mut value = serde_json::to_value(document).unwrap_or_default();
    let paths = value.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(Map::values_mut);
    for item in items.filter_map(Value::as_object_mut) {
        let operations = item.iter_mut().filter(|(method, _)| METHODS.contains(&method.as_str()));
        for (method, operation) in operations {
            let writes = method != "get";
            // An operation that needs no token states that.
            if operation.get("security").is_none() {
                set(operation, "security", json!([]));
            }
            let narrows = has_parameter(operation, "fields");
            if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
                complete_responses(responses);
                if let Some(found) = responses.get_mut("200").filter(|_| narrows) {
                    may_be_narrowed(
                        found,
                        &json!({ "type": "object", "description": "With `fields`: only these." }),
                    );
                }
                for status in ["200", "201"].into_iter().filter(|_| writes) {
                    if let Some(found) = responses.get_mut(status) {
                        may_be_what_was_written(found);
                    }
                }
            }
        }
    }
    set(&mut value, "servers", json!([{ "url": "/", "description": "This server" }]));
    if let Some(info) = value.get_mut("info") {
        set(info, "license", json!({ "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" }));
    }
    drop_unused(&mut value);
    value
}

/// Removes schemas that nothing refers to: the schema of a page contains the schema of its rows.
fn drop_unused(document: &mut Value) {
    let text = document.to_string();
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    if let Some(schemas) = schemas {
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
    }
}

fn has_parameter(operation: &Value, name: &str) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters.is_some_and(|parameters| {
        parameters.iter().any(|parameter| parameter.get("name").and_then(Value::as_str) == Some(name))
    })
}

/// Adds the answer for callers who may write a record but not read it: the id and the written fields.
fn may_be_what_was_written(response: &mut Value) {
    let name = schema_of(response).and_then(|schema| schema.get("$ref")?.as_str()?.rsplit('/').next());
    let written = json!({
        "type": "object",
        "description": "Without the permission to read it: the id and what was written.",
        "required": ["id"],
        "properties": { "id": { "type": "integer", "format": "int64" } },
    });
    match name {
        Some("UserRecord" | "GroupItem" | "TokenItem") => may_be_narrowed(response, &written),
        Some("UserItems") => {
            let users = json!({ "users": { "type": "array", "items": written } });
            let all = json!({ "type": "object", "required": ["users"], "properties": users });
            may_be_narrowed(response, &all);
        }
        _ => {}
    }
}

/// Adds the schema of an object that has only some of its fields.
fn may_be_narrowed(response: &mut Value, narrowed: &Value) {
    let Some(schema) = response.pointer_mut("/content/application~1json/schema") else { return };
    *schema = json!({ "anyOf": [schema.take(), narrowed] });
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
        let is_error = status == "default" || status.starts_with(['4', '5']);
        let content = response.get_mut("content").and_then(Value::as_object_mut);
        if let Some(content) = content.filter(|_| is_error) {
            let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
            content.insert("application/problem+json".to_owned(), problem);
        }
    }
}

fn schema_of(response: &Value) -> Option<&Value> {
    response.get("content")?.get("application/json")?.get("schema")
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}
