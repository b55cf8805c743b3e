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
    let narrowed = is_narrowed(method, target, answer);
    let about = format!("{about} {media_type}{}", if narrowed { " narrowed" } else { "" });
    if let Err(error) = validator(&about, schema, narrowed).validate(&answer.json()) {
        panic!("{about}: {error} at {}: {answer}", error.instance_path());
    }
}

/// Whether an answer has only some of the fields of its object, as the document says in words: those that `fields` names,
/// or what a caller has written who may not read it, with the id. A schema that said it would be of no use to clients.
fn is_narrowed(method: &str, target: &str, answer: &Answer) -> bool {
    let selected = method == "GET" && target.contains("fields=");
    let written = || {
        let body = answer.json();
        let objects = body["users"].as_array().map_or(vec![&body], |users| users.iter().collect());
        let has = |name: &str| objects.iter().all(|object| object.get(name).is_some());
        has("id") && !has("created_at")
    };
    answer.status < 300 && (selected || (method != "GET" && written()))
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

fn validator(about: &str, schema: Value, narrowed: bool) -> Arc<Validator> {
    let mut known = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let make = || {
        let mut root = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        if narrowed {
            let schemas = root["components"]["schemas"].as_object_mut().unwrap();
            for (_, schema) in schemas.iter_mut().filter(|(name, _)| !name.starts_with("Listing")) {
                schema.as_object_mut().unwrap().remove("required");
            }
        }
        Arc::new(jsonschema::draft202012::new(&root).unwrap())
    };
    Arc::clone(known.entry(about.to_owned()).or_insert_with(make))
}

#[test]
fn only_a_narrowed_answer_may_lack_fields() {
    let answer = |body: &str| Answer {
        status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.into(),
    };
    check("GET", "/api/users/me?fields=id", &answer(r#"{"id": 42}"#));
    check("PATCH", "/api/users/42", &answer(r#"{"id": 42, "gender": null}"#));
    for (method, target) in [("GET", "/api/users/me"), ("GET", "/api/users/42"), ("PATCH", "/api/users/42")] {
        let lacking = if method == "PATCH" { r#"{"gender": null}"# } else { r#"{"id": 42}"# };
        assert!(
            std::panic::catch_unwind(|| check(method, target, &answer(lacking))).is_err(),
            "{method} {target}"
        );
    }
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
