//! An example for each status of each operation. Examples of errors are made by [`ApiError`], as the errors are, so
//! their texts are the server's.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::parts::{is_error, schema_of, set};
use super::plain::resolved;
use crate::directory::access::{NeedsPermission as _, ReadUsers};
use crate::directory::model::{ValidationErrors, Violation};
use crate::http::error::ApiError;

/// Makes examples from the schemas of the document.
pub(super) struct Examples<'a> {
    schemas: &'a Map<String, Value>,
}

/// A field that an operation refuses, with the reason.
pub(super) struct RefusedField {
    name: String,
    why: Violation,
}

impl<'a> Examples<'a> {
    /// Takes the schemas of the document, which are plain.
    pub(super) fn of(schemas: &'a Value) -> Self {
        static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        Self { schemas: schemas.as_object().unwrap_or(&NONE) }
    }

    /// Whether an object of the schema must have some field.
    pub(super) fn needs_fields(&self, schema: &Value) -> bool {
        resolved(schema, self.schemas).get("required").is_some()
    }

    /// Chooses a field of the operation to refuse in an example: the first of the body, or a parameter that is unknown.
    pub(super) fn refused_field(&self, operation: &Value) -> RefusedField {
        let body = operation.get("requestBody").and_then(schema_of);
        let properties = body.and_then(|body| resolved(body, self.schemas).get("properties")?.as_object());
        let needed = |schema: &Value| schema.get("type").is_some_and(Value::is_string);
        let first = properties.and_then(|properties| properties.iter().find(|(_, schema)| needed(schema)));
        match first {
            Some((name, schema)) if schema.get("type").is_some_and(|kind| kind == "integer") => {
                RefusedField { name: name.clone(), why: Violation::Integer }
            }
            Some((name, _)) => RefusedField { name: name.clone(), why: Violation::Null },
            None if operation.get("operationId").is_some_and(|id| id == "permissions_destroy") => {
                RefusedField {
                    name: "permission".to_owned(),
                    why: Violation::Other(format!(
                        "user_read ({}) is built in: it cannot be renamed or removed.",
                        ReadUsers::CODE
                    )),
                }
            }
            None if has_parameter(operation, "expect_head") => RefusedField {
                name: "expect_head".to_owned(),
                why: Violation::Other("A head has 64 hexadecimal digits.".to_owned()),
            },
            None if has_parameter(operation, "ordering") => {
                RefusedField { name: "ordering".to_owned(), why: Violation::Choice("nickname".to_owned()) }
            }
            None if has_parameter(operation, "object_kind") => {
                RefusedField { name: "object_kind".to_owned(), why: Violation::Choice("mailbox".to_owned()) }
            }
            None if has_parameter(operation, "fields") => {
                RefusedField { name: "fields".to_owned(), why: Violation::Choice("nickname".to_owned()) }
            }
            None => RefusedField {
                name: "username".to_owned(),
                why: Violation::Taken { noun: "user", field: "username".to_owned() },
            },
        }
    }

    /// Adds an example to every body of a response.
    pub(super) fn add_to(&self, status: &str, response: &mut Value, refused: &RefusedField) {
        let by_field =
            schema_of(response).and_then(|schema| schema.get("anyOf")?.get(0)?.get("$ref")?.as_str());
        let error = error_of(status, by_field, refused);
        let content = response.get_mut("content").and_then(Value::as_object_mut);
        for (media_type, body) in content.into_iter().flatten() {
            let example = match &error {
                Some(error) if media_type == "application/problem+json" => Some(error.problem()),
                Some(error) => Some(error.body()),
                None if is_error(status) => None,
                None => body.get("schema").map(|schema| self.example(schema)),
            };
            if let Some(example) = example.filter(|_| body.get("example").is_none()) {
                set(body, "example", example);
            }
        }
    }

    /// The example of a schema: its own, or one that is made of the examples of its parts.
    fn example(&self, schema: &Value) -> Value {
        let schema = resolved(schema, self.schemas);
        if let Some(example) = schema.get("example") {
            return example.clone();
        }
        if let Some(items) = schema.get("items") {
            return json!([self.example(items)]);
        }
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                properties.iter().map(|(name, schema)| (name.clone(), self.example(schema))).collect()
            }
            // What has no example can be null: the links of a page.
            None => Value::Null,
        }
    }
}

fn has_parameter(operation: &Value, name: &str) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters.is_some_and(|parameters| {
        parameters.iter().any(|parameter| parameter.get("name").and_then(Value::as_str) == Some(name))
    })
}

/// The error of a status. `schema` is that of errors by field, for operations that have such errors.
fn error_of(status: &str, schema: Option<&str>, refused: &RefusedField) -> Option<ApiError> {
    let faults = || ValidationErrors::of(&refused.name, &refused.why);
    let code = match status {
        // The only one of HTTP's own errors that a client of the API can see by mistake.
        "default" => return Some(ApiError::MethodNotAllowed(Method::TRACE)),
        status => StatusCode::from_bytes(status.as_bytes()).ok()?,
    };
    Some(match code {
        StatusCode::BAD_REQUEST => match schema {
            Some(schema) if schema.ends_with("/ItemErrors") => {
                let taken = Violation::Taken { noun: "user", field: "username".to_owned() };
                let second = ValidationErrors::of("username", &taken);
                ApiError::InvalidItems("users", vec![ValidationErrors::default(), second])
            }
            Some(_) => ApiError::Invalid(faults()),
            None => ApiError::BadRequest("A query may have at most 64 parameters."),
        },
        StatusCode::UNAUTHORIZED => ApiError::Unauthenticated("Invalid token."),
        StatusCode::FORBIDDEN => {
            ApiError::Forbidden("You do not have permission to perform this action.".to_owned())
        }
        StatusCode::NOT_FOUND => ApiError::NotFound,
        StatusCode::NOT_ACCEPTABLE => ApiError::NotAcceptable,
        StatusCode::PRECONDITION_FAILED => ApiError::Stale,
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ApiError::UnsupportedMediaType("Unsupported media type \"text/plain\" in request.".to_owned())
        }
        StatusCode::TOO_MANY_REQUESTS => ApiError::Throttled(2),
        StatusCode::INTERNAL_SERVER_ERROR => ApiError::Internal(String::new()),
        StatusCode::SERVICE_UNAVAILABLE => ApiError::Unavailable(String::new()),
        _ => return None,
    })
}
