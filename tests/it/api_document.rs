//! The OpenAPI document, for people who try the calls on the page `/api/docs` and for programs that generate clients:
//! what it fills in, its examples, and whether its bodies are those that the server reads.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use wardroom::directory::model::{GroupDraft, UserKey};
use wardroom::directory::tokens::Expiry;
use wardroom::http::api;

use crate::links::with_all_operations;
use crate::support::site::{operator, person};
use crate::support::{Backend, Site, both};

/// Every operation: method, path, and what the document says of it.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    });
    let all: Vec<_> = all.collect();
    assert!(all.len() >= 40, "the document has lost its operations");
    all
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

/// The first reason why a value does not fit a schema.
fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let root = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::draft202012::new(&root).unwrap();
    validator.validate(value).err().map(|error| error.to_string())
}

/// Every object of a document, with the way to it.
fn objects<'a>(way: &str, value: &'a Value, found: &mut Vec<(String, &'a Map<String, Value>)>) {
    match value {
        Value::Object(object) => {
            found.push((way.to_owned(), object));
            object.iter().for_each(|(name, value)| objects(&format!("{way}/{name}"), value, found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(number, item)| objects(&format!("{way}/{number}"), item, found));
        }
        _ => {}
    }
}

#[test]
fn nothing_optional_is_filled_in_and_everything_required_is() {
    let document = api::document();
    for (method, path, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let about = format!("{method} {path} {}", parameter["name"]);
            let schema = &parameter["schema"];
            let fills =
                |value: &Value| ["example", "examples", "default"].map(|name| value.get(name).is_some());
            let filled = fills(parameter).into_iter().chain(fills(schema)).any(|is_there| is_there);
            assert_eq!(filled, parameter["required"] == true, "{about}");
            assert!(schema["type"].is_string(), "{about}: what is not sent is not null");
        }
        if let Some(body) = operation.get("requestBody") {
            let content = body["content"].as_object().unwrap();
            let schema = &content.get("application/json").or(content.values().next()).unwrap()["schema"];
            let example = &resolved(&document, schema)["example"];
            assert!(example.is_object(), "{method} {path} has a body without an example");
            assert_eq!(misfit(&document, schema, example), None, "{method} {path}: {example}");
            let needs = resolved(&document, schema).get("required").is_some();
            assert_eq!(body["required"], needs, "{method} {path}");
        }
    }
    let body = |path: &str| {
        let schema = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
        resolved(&document, schema)["example"].clone()
    };
    assert_eq!(body("/api/users/auth/signout"), json!({ "everywhere": false }));
}

#[test]
fn each_status_has_an_example_of_its_own() {
    let document = api::document();
    for (method, path, operation) in operations(&document) {
        let mut texts = BTreeSet::new();
        for (status, response) in operation["responses"].as_object().unwrap() {
            for (media_type, body) in response["content"].as_object().into_iter().flatten() {
                let about = format!("{method} {path} {status} {media_type}");
                let example = body.get("example").unwrap_or_else(|| panic!("{about} has no example"));
                assert_eq!(misfit(&document, &body["schema"], example), None, "{about}: {example}");
                assert!(texts.insert(example.to_string()), "{about} has the example of another status");
                if media_type == "application/problem+json" && status != "default" {
                    assert_eq!(example["status"].to_string(), *status, "{about}");
                }
            }
        }
    }
}

/// Generators make one class of an object. A combination of objects becomes a class without names, or `Any`.
#[test]
fn schemas_are_plain_objects() {
    let document = api::document();
    let mut found = Vec::new();
    objects("", &document["components"]["schemas"], &mut found);
    for (way, object) in found {
        for name in ["allOf", "oneOf", "anyOf", "not"] {
            assert!(!object.contains_key(name), "{way} has {name}");
        }
        assert!(object.get("type") != Some(&json!("object")) || object.len() > 1, "{way} is an empty object");
    }
    for (method, path, operation) in operations(&document) {
        for status in ["200", "201"] {
            let schema = &operation["responses"][status]["content"]["application/json"]["schema"];
            if schema.is_null() {
                continue;
            }
            let named = schema.get("$ref").or_else(|| schema.get("items")?.get("$ref"));
            assert!(named.is_some(), "{method} {path} {status} has a schema without a name: {schema}");
        }
    }
    let schemas = &document["components"]["schemas"];
    let names = |schema: &str| -> BTreeSet<&str> {
        schemas[schema]["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    };
    let required = |schema: &str| schemas[schema]["required"].as_array().cloned().unwrap_or_default();
    assert_eq!(required("Me").len(), 12);
    assert!(names("Me").is_superset(&BTreeSet::from(["is_staff", "permissions", "token"])));
    assert_eq!(
        schemas["Listing_UserItem"]["properties"]["results"]["items"]["$ref"],
        "#/components/schemas/UserItem"
    );
    assert_eq!(required("UserCreate"), [json!("username")]);
    assert!(required("UserUpdate").is_empty());
    assert_eq!(required("UserReplace"), [json!("username")]);
    assert_eq!(required("UserBulkUpdateItem"), [json!("id")]);
    assert!(
        !names("UserBulkCreateItem").contains("password") && !names("UserCreate").contains("old_password")
    );
}

/// The body of an operation: the schema of the object whose fields are tried, and whether it is in a list `users`.
struct Body<'a> {
    method: String,
    path: &'a str,
    schema: &'a Value,
    in_list: bool,
}

fn bodies(document: &Value) -> Vec<Body<'_>> {
    let mut found = Vec::new();
    for (method, path, operation) in operations(document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let whole = resolved(document, schema);
        let item = &whole["properties"]["users"]["items"];
        if item.get("$ref").is_some() {
            found.push(Body { method, path, schema: resolved(document, item), in_list: true });
        } else {
            found.push(Body { method, path, schema: whole, in_list: false });
        }
    }
    found
}

/// Values at and beyond the bounds of a field.
fn candidates(schema: &Value) -> Vec<Value> {
    let mut values = vec![Value::Null];
    let has = |kind: &str| {
        schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&json!(kind)))
    };
    if has("string") {
        values.push(json!(""));
        values.push(json!("unheard-of"));
        let longest = schema["maxLength"].as_u64().and_then(|longest| usize::try_from(longest).ok());
        values.extend(
            longest.into_iter().flat_map(|longest| [longest, longest + 1]).map(|n| json!("x".repeat(n))),
        );
        values.extend(schema["enum"].as_array().into_iter().flatten().cloned());
    }
    if has("integer") {
        let near = |name: &str| schema[name].as_i64().into_iter().flat_map(|n| [n - 1, n, n + 1]);
        values.extend(near("minimum").chain(near("maximum")).map(|n| json!(n)));
    }
    if let Some(longest) = schema["maxItems"].as_u64() {
        values.extend([json!([]), json!((1..=longest + 1).collect::<Vec<_>>())]);
    }
    values
}

/// The messages about bounds. Others, such as that a name is taken, are no matter of the schema.
const OF_BOUNDS: [&str; 7] = [
    "may not be null",
    "may not be blank",
    "no more than",
    "is not a valid choice",
    "less than or equal",
    "greater than or equal",
    "A valid integer is required",
];

both! {
    /// The lengths, choices and nulls of every field of every body are those of the server.
    async fn bodies_are_bounded_as_the_document_says(backend: Backend) {
        let site = Site::with_directory(backend, with_all_operations).await;
        let document = api::document();
        let user = person(site.directory(), "target", |_| {}).await.id;
        let owner = UserKey::Id(user.try_into().unwrap());
        let token = site.directory().issue_token(&operator(), &owner, "t", Expiry::Never).await.unwrap().token.id;
        let own = UserKey::Id(site.admin.id.try_into().unwrap());
        let own = site.directory().issue_token(&operator(), &own, "t", Expiry::Never).await.unwrap().token.id;
        let draft = GroupDraft { name: Some("group".into()), ..GroupDraft::default() };
        let group = site.directory().create_group(&operator(), &draft).await.unwrap().id;
        let mut tried = 0;
        for Body { method, path, schema, in_list } in bodies(&document) {
            let id = if path.contains("/groups/") { group.to_string() } else { user.to_string() };
            let token = if path.contains("/me/") { own } else { token };
            let target = path.replace("{id}", &id).replace("{token}", &token.to_string());
            for (name, property) in schema["properties"].as_object().unwrap() {
                for value in candidates(property) {
                    tried += 1;
                    let mut object = Map::new();
                    for needed in schema["required"].as_array().into_iter().flatten() {
                        let fitting = match needed.as_str().unwrap() {
                            "id" => json!(user),
                            "users" => json!([user]),
                            text => json!(format!("{text}{tried}")),
                        };
                        object.insert(needed.as_str().unwrap().into(), fitting);
                    }
                    object.insert(name.clone(), value.clone());
                    let body = if in_list { json!({ "users": [object] }) } else { json!(object) };
                    let request = site.request(&method, &target).token(&site.admin.key);
                    let answer = request.body("application/json", body.to_string()).send().await;
                    let short: String = value.to_string().chars().take(40).collect();
                    let about = format!("{method} {path} {name} {short}: {answer}");
                    let faults = if answer.status == 400 { answer.json() } else { Value::Null };
                    let faults = if in_list && faults["users"][0].is_object() { &faults["users"][0] } else { &faults };
                    let refused = faults[name].to_string();
                    match misfit(&document, property, &value) {
                        // A list that is too long is refused before its field is known. A wrong password is refused,
                        // and later limited, before a new one is read.
                        Some(_) => assert!(
                            refused != "null"
                                || answer.body.contains("may have at most")
                                || (path == "/api/users/me/password" && [400, 429].contains(&answer.status)),
                            "the document forbids it: {about}"
                        ),
                        None => assert!(!OF_BOUNDS.iter().any(|text| refused.contains(text)), "the document allows it: {about}"),
                    }
                }
            }
        }
        assert!(tried > 250, "{tried}");
    }
}
