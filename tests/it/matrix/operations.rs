//! Every operation of the document, with the names of its inputs.

use std::collections::BTreeSet;

use serde_json::Value;
use wardroom::http::api;

/// An operation as the document has it.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    pub method: String,
    pub path: String,
    /// The fields of its body; those of items in a list as `list[].name`.
    pub fields: Vec<String>,
    /// Its parameters, each with its location.
    pub parameters: Vec<(String, String)>,
}

impl Operation {
    pub fn writes(&self) -> bool {
        self.method != "GET"
    }
}

/// Reads all operations, in the document's order.
pub fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let content = operation["requestBody"]["content"].as_object();
            let mut fields = BTreeSet::new();
            for content in content.into_iter().flat_map(|content| content.values()) {
                gather(&document, &content["schema"], "", &mut fields);
            }
            found.push(Operation {
                id: id.to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                fields: fields.into_iter().collect(),
                parameters: parameters.map(|known| (text(&known["name"]), text(&known["in"]))).collect(),
            });
        }
    }
    assert!(found.len() > 30, "the document was not read");
    found
}

/// The names of a schema's properties, including those of items of lists.
fn gather(document: &Value, schema: &Value, before: &str, fields: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        return gather(document, schema, before, fields);
    }
    for of in ["allOf", "anyOf", "oneOf"] {
        for part in schema[of].as_array().into_iter().flatten() {
            gather(document, part, before, fields);
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let mut below = BTreeSet::new();
        gather(document, &property["items"], &format!("{before}{name}[]."), &mut below);
        gather(document, property, &format!("{before}{name}."), &mut below);
        if below.is_empty() {
            fields.insert(format!("{before}{name}"));
        }
        fields.extend(below);
    }
}
