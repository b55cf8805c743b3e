//! Plain schemas, as programs need them that generate clients: an object instead of a combination of objects, a name
//! instead of a copy, and no null where no null can be sent.

use serde_json::{Map, Value, json};

/// The names of the schemas of pages have this in front of the name of the schema of their rows.
const PAGE: &str = "Listing_";

/// Makes every schema of the document plain.
pub(super) fn make_schemas_plain(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else {
        return;
    };
    let all = schemas.clone();
    for (name, schema) in schemas {
        *schema = merged(schema, &all);
        let rows = schema.pointer_mut("/properties/results/items");
        if let (Some(rows), Some((_, row))) = (rows, name.split_once(PAGE)) {
            *rows = json!({ "$ref": format!("#/components/schemas/{row}") });
        }
    }
}

/// Writes a combination of objects as one object.
fn merged(schema: &Value, all: &Map<String, Value>) -> Value {
    let Some(parts) = schema.get("allOf").and_then(Value::as_array) else { return schema.clone() };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        let part = merged(resolved(part, all), all);
        let own = part.get("properties").and_then(Value::as_object).cloned();
        properties.extend(own.unwrap_or_default());
        required.extend(part.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    }
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    let named = ["description", "example"].map(|name| (name, schema.get(name).cloned()));
    let [description, example] = named.map(|(name, value)| value.map(|value| (name.to_owned(), value)));
    object.extend(description);
    if !required.is_empty() {
        object.insert("required".to_owned(), required.into());
    }
    object.insert("properties".to_owned(), properties.into());
    object.extend(example);
    object.into()
}

/// Follows a reference to a schema.
pub(super) fn resolved<'a>(schema: &'a Value, all: &'a Map<String, Value>) -> &'a Value {
    let name = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.rsplit('/').next());
    name.and_then(|name| all.get(name)).unwrap_or(schema)
}

/// Makes a parameter plain: what is not sent is not null.
pub(super) fn make_parameter_plain(parameter: &mut Value) {
    let Some(kinds) = parameter.pointer_mut("/schema/type") else { return };
    if let Some(kind) = kinds.as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null")).cloned()
    {
        *kinds = kind;
    }
    let is_cursor = parameter.get("name").is_some_and(|name| name == "cursor");
    if let Some(parameter) = parameter.as_object_mut().filter(|_| is_cursor) {
        parameter.insert("allowEmptyValue".to_owned(), true.into());
    }
}
