//! Checks every answer in the tests against the OpenAPI document: its status, its media type, and its body against
//! the schema. If the document is wrong, the test that notices it fails.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use wardroom::http::api;

use super::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(api::document()).unwrap());
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Fails if the document does not allow the answer. It ignores paths and methods that are not in the document.
pub fn check(method: &str, target: &str, answer: &Answer) {
    let path = percent_decode_str(target.split('?').next().unwrap()).decode_utf8_lossy();
    let path = path.trim_end_matches('/');
    let method = if method == "HEAD" { "GET" } else { method };
    let Some((template, item)) = operation(path) else { return };
    let Some(operation) = item.get(method.to_lowercase()) else { return };
    let about = format!("{method} {template} {}", answer.status);
    let responses = &operation["responses"];
    let status = answer.status.to_string();
    let response = responses.get(&status).or_else(|| responses.get("default")).unwrap();
    let protocol = [405, 408, 413, 414, 417, 431];
    assert!(
        responses.get(&status).is_some() || protocol.contains(&answer.status),
        "{about} is not documented: {answer}"
    );
    if answer.body.is_empty() {
        return;
    }
    let media_type = answer.header("content-type").unwrap_or_default();
    let content = response["content"].get(media_type);
    let schema =
        content.unwrap_or_else(|| panic!("{about}: {media_type:?} is not documented: {answer}"))["schema"]
            .clone();
    if !media_type.ends_with("json") || media_type.contains("ndjson") {
        return;
    }
    let validator = validator(&format!("{about} {media_type}"), schema);
    if let Err(error) = validator.validate(&answer.json()) {
        panic!("{about}: {error} at {}: {answer}", error.instance_path());
    }
}

fn operation(path: &str) -> Option<(&'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let (mut ours, mut theirs) = (template.split('/'), path.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(our), Some(their)) if our == their || (our.starts_with('{') && !their.is_empty()) => {}
                _ => return false,
            }
        }
    };
    // A literal path wins over one with a parameter.
    let mut fitting: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    fitting.sort_by_key(|(template, _)| template.matches('{').count());
    fitting.first().map(|(template, item)| (template.as_str(), *item))
}

fn validator(about: &str, schema: Value) -> Arc<Validator> {
    let mut known = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let make = || {
        let root = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        Arc::new(jsonschema::draft202012::new(&root).unwrap())
    };
    Arc::clone(known.entry(about.to_owned()).or_insert_with(make))
}

#[test]
#[should_panic(expected = "POST /api/users 201")]
fn an_answer_that_is_not_documented_is_found() {
    let answer = Answer {
        status: 201,
        headers: vec![("content-type".into(), "application/json".into())],
        body: r#"{"id": "42"}"#.into(),
    };
    check("POST", "/api/users", &answer);
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let text = DOCUMENT.to_string();
    let references = text.split(r##""$ref":"#"##).skip(1).map(|rest| rest.split('"').next().unwrap());
    for reference in references {
        assert!(DOCUMENT.pointer(reference).is_some(), "{reference}");
    }
}
