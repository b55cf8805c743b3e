//! Errors as answers: the only file with the status codes of errors, and their shape on the wire.
//!
//! A client gets a short text that gives nothing away. The log gets the cause, under the request's id.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::json;
use super::reason::Reason;
use crate::directory::model::ValidationErrors;
use crate::directory::{Denial, Error};

/// The answer to a change of which it is not known whether it was made.
const UNCONFIRMED: &str =
    "The change was not confirmed in time and may have been made: read before you repeat it.";
/// Seconds after which a client may try again when the database is unavailable.
const RETRY_AFTER_SECONDS: &str = "1";

/// An answer that is not a success.
#[derive(Debug)]
pub enum ApiError {
    /// The HTTP message itself is wrong.
    BadRequest(&'static str),
    /// A body that cannot be parsed; the text says where.
    Malformed(String),
    /// A body of a media type or charset that is not supported; the text names it.
    UnsupportedMediaType(String),
    /// A body in this content coding.
    UnsupportedCoding(String),
    /// Input that breaks rules, by field.
    Invalid(ValidationErrors),
    /// Input of many items, some of which break rules: the field of the list, and the faults of each item in its order.
    InvalidItems(&'static str, Vec<ValidationErrors>),
    /// No credentials, or none that are good; the text says which.
    Unauthenticated(&'static str),
    /// The caller may not do this; the text says why.
    Forbidden(String),
    /// The caller may do this, and the token is too narrow for it; the text says for the log what it lacks.
    TooNarrow(String),
    /// The object has changed since the client read it.
    Stale,
    /// No such path or object.
    NotFound,
    /// A path that does not have this method.
    MethodNotAllowed(Method),
    /// The client accepts no format that is available.
    NotAcceptable,
    /// A body larger than the setting allows.
    BodyTooLarge,
    /// A body that did not arrive in the time of the setting.
    BodyTooSlow,
    /// An expectation other than `100-continue`.
    Expectation,
    /// Too many requests; seconds after which to try again, at least one.
    Throttled(u64),
    /// The database is unavailable; the text is for the log.
    Unavailable(String),
    /// The store of media files is unavailable; the text is for the log.
    MediaUnavailable(String),
    /// No message can be sent; the text is for the log.
    MessagesUnavailable(String),
    /// The database did not confirm a change, which may have been made; the text is for the log.
    Unconfirmed(String),
    /// The budget of memory for bodies is used up.
    Overloaded,
    /// The request took longer than the setting allows.
    TookTooLong,
    /// A list took longer than the setting allows; the text names what it was narrowed by.
    ListTooSlow(String),
    /// A fault of the server; the text is for the log.
    Internal(String),
}

impl ApiError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::Malformed(_) | Self::Invalid(_) | Self::InvalidItems(..) => {
                StatusCode::BAD_REQUEST
            }
            Self::UnsupportedMediaType(_) | Self::UnsupportedCoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::TooNarrow(_) => StatusCode::FORBIDDEN,
            Self::Stale => StatusCode::PRECONDITION_FAILED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_)
            | Self::MediaUnavailable(_)
            | Self::MessagesUnavailable(_)
            | Self::Unconfirmed(_)
            | Self::Overloaded
            | Self::ListTooSlow(_)
            | Self::TookTooLong => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code for programs: the framework's, or one of ours where the framework has none.
    fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::BadRequest(_) => "bad_request",
            Self::Malformed(_) => "parse_error",
            Self::UnsupportedMediaType(_) | Self::UnsupportedCoding(_) => "unsupported_media_type",
            Self::Invalid(_) | Self::InvalidItems(..) => "invalid",
            Self::Unauthenticated(_) => "authentication_failed",
            Self::Forbidden(_) | Self::TooNarrow(_) => "permission_denied",
            Self::Stale => "precondition_failed",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::NotAcceptable => "not_acceptable",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "request_timeout",
            Self::Expectation => "expectation_failed",
            Self::Throttled(_) => "throttled",
            Self::Unavailable(_)
            | Self::MediaUnavailable(_)
            | Self::MessagesUnavailable(_)
            | Self::Overloaded
            | Self::TookTooLong => "service_unavailable",
            Self::ListTooSlow(_) => "list_too_slow",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::Internal(_) => "error",
        })
    }

    /// What is wrong with the request; `None` for other errors.
    fn fault(&self) -> Option<String> {
        let texts = |(field, texts): (&str, &[String])| match field {
            "non_field_errors" => texts.join(" "),
            field => format!("{field}: {}", texts.join(" ")),
        };
        match self {
            Self::BadRequest(why) => Some((*why).to_owned()),
            Self::Invalid(faults) => Some(faults.iter().map(texts).collect::<Vec<_>>().join(" ")),
            Self::TookTooLong => Some("It took too long. Nothing was changed.".to_owned()),
            Self::ListTooSlow(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// The error in the framework's shape.
    pub(super) fn body(&self) -> Value {
        let detail: &str = match self {
            Self::Invalid(faults) => return by_field(faults),
            Self::InvalidItems(field, items) => return by_item(field, items),
            Self::MethodNotAllowed(method) => {
                return json!({ "detail": format!("Method \"{method}\" not allowed.") });
            }
            Self::Throttled(seconds) => return json!({ "detail": throttled(*seconds) }),
            Self::UnsupportedCoding(given) => {
                return json!({ "detail": format!("Unsupported content encoding \"{given}\" in request.") });
            }
            Self::BadRequest(detail) | Self::Unauthenticated(detail) => detail,
            Self::Forbidden(detail) | Self::Malformed(detail) => detail,
            Self::UnsupportedMediaType(detail) | Self::ListTooSlow(detail) => detail,
            Self::TooNarrow(_) => return json!({ "detail": Denial::NoRight.to_string() }),
            Self::Stale => "It has changed since you read it: read it again.",
            Self::NotFound => "Not found.",
            Self::NotAcceptable => "Could not satisfy the request Accept header.",
            Self::BodyTooLarge => "Request body is too large.",
            Self::BodyTooSlow => "Request timed out.",
            Self::Expectation => "Only the expectation \"100-continue\" can be met.",
            Self::Unavailable(_)
            | Self::MediaUnavailable(_)
            | Self::MessagesUnavailable(_)
            | Self::Overloaded
            | Self::TookTooLong => "Service temporarily unavailable, try again later.",
            Self::Unconfirmed(_) => UNCONFIRMED,
            Self::Internal(_) => "A server error occurred.",
        };
        json!({ "detail": detail })
    }

    /// The error in the shape of RFC 9457.
    pub(super) fn problem(&self) -> Value {
        let Value::Object(error) = self.body() else { return Value::Null };
        problem(self.status(), self.code(), error)
    }

    /// What the log says of it. Texts of a body are left out: they may be secrets.
    fn reason(&self) -> Reason {
        let invalid = |count: usize| format!("{count} values of the request are not valid");
        Reason::new(match self {
            Self::Internal(cause) => return Reason::new(cause.clone()),
            Self::Unavailable(cause) => format!("the database is unavailable: {cause}"),
            Self::MediaUnavailable(cause) => format!("the store of media files is unavailable: {cause}"),
            Self::MessagesUnavailable(cause) => format!("messages cannot be sent: {cause}"),
            Self::Unconfirmed(cause) => format!("it is not known whether a change was made: {cause}"),
            Self::Overloaded => return Reason::new("no room in body_memory"),
            Self::TookTooLong => return Reason::new("the request took longer than request_timeout"),
            Self::Throttled(seconds) => {
                format!("too many attempts or a full queue: the next is allowed in {seconds} s")
            }
            // These texts are the program's own. No other field's name or text is shown.
            Self::Invalid(faults) => match faults.iter().find(|(field, _)| *field == "non_field_errors") {
                Some((_, texts)) => texts.join(" "),
                None => invalid(faults.count()),
            },
            Self::InvalidItems(_, items) => invalid(items.iter().map(ValidationErrors::count).sum()),
            Self::Malformed(detail) => detail.split(" - ").next().unwrap_or_default().to_owned(),
            Self::UnsupportedMediaType(detail) => detail.chars().take(150).collect(),
            Self::MethodNotAllowed(_) => return Reason::new("the path does not have this method"),
            Self::TooNarrow(lack) => lack.clone(),
            Self::NotFound => return Reason::new("there is no such path or object"),
            other => other.body().get("detail").and_then(Value::as_str).unwrap_or_default().to_owned(),
        })
    }
}

fn by_field(faults: &ValidationErrors) -> Value {
    faults.iter().map(|(field, messages)| (field.to_owned(), json!(messages))).collect()
}

/// Lists the faults of items in their order. An answer about many items has no more faults than one about a single
/// item: it ends with the last fault that is shown.
fn by_item(field: &str, items: &[ValidationErrors]) -> Value {
    let more = items.iter().map(ValidationErrors::count).sum::<usize>() > ValidationErrors::MAX;
    let mut left = if more { ValidationErrors::MAX - 1 } else { ValidationErrors::MAX };
    let mut listed = Vec::new();
    for faults in items {
        if left == 0 && !faults.is_empty() {
            break;
        }
        let mut shown = serde_json::Map::new();
        for (name, messages) in faults.iter() {
            let messages: Vec<_> = messages.iter().take(left).collect();
            left -= messages.len();
            if !messages.is_empty() {
                shown.insert(name.to_owned(), json!(messages));
            }
        }
        listed.push(shown);
    }
    match more {
        true => json!({ field: listed, "non_field_errors": [ValidationErrors::MORE] }),
        false => json!({ field: listed }),
    }
}

impl ApiError {
    /// Turns an error into an answer. `field` is the field of the body that held the list, for errors about its items.
    pub fn of_items(field: &'static str, error: Error) -> Self {
        match error {
            Error::Invalid(faults) => Self::Invalid(faults),
            Error::InvalidItems(items) => Self::InvalidItems(field, items),
            Error::DeniedItem { .. } => Self::Forbidden(format!("{field}: {error}")),
            Error::NotFound { .. } => Self::NotFound,
            Error::Stale(_) => Self::Stale,
            Error::Denied(denial) => Self::Forbidden(denial.to_string()),
            Error::TokenEnded => Self::Unauthenticated("Invalid token."),
            Error::OwnerInactive => Self::Unauthenticated("User inactive or deleted."),
            Error::Busy { retry_after } => Self::Throttled(whole_seconds(retry_after)),
            Error::Unavailable(why) => Self::Unavailable(why),
            Error::MediaUnavailable(why) => Self::MediaUnavailable(why),
            Error::MessagesUnavailable(why) => Self::MessagesUnavailable(why),
            Error::TooSlow { .. } => Self::ListTooSlow(error.to_string()),
            Error::Unconfirmed(why) => Self::Unconfirmed(why),
            // No route brings anything in.
            Error::Broken { .. } => Self::Internal(error.to_string()),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::of_items("items", error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = answer(self.status(), &self.body());
        response.extensions_mut().insert(self.code());
        response.extensions_mut().insert(self.reason());
        if let Self::Forbidden(why) | Self::TooNarrow(why) = &self {
            response.extensions_mut().insert(DeniedReason(why.clone()));
        }
        if let Some(why) = self.fault() {
            response.extensions_mut().insert(RequestFault(why));
        }
        let headers = response.headers_mut();
        match self {
            Self::Unauthenticated(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
            }
            Self::Unavailable(_)
            | Self::MediaUnavailable(_)
            | Self::MessagesUnavailable(_)
            | Self::TookTooLong => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
            }
            Self::Overloaded => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
                // The request may have a body that was not read.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Throttled(seconds) => {
                headers.insert(header::RETRY_AFTER, seconds.into());
            }
            Self::UnsupportedCoding(_) => {
                // RFC 9110, section 15.5.16: what would have been accepted.
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            Self::BodyTooLarge | Self::BodyTooSlow | Self::Expectation => {
                // The body was not read: what follows on this connection cannot be trusted.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// The code of an error. It is kept with the answer until the answer is sent.
#[derive(Clone, Copy)]
pub(super) struct ErrorCode(pub(super) &'static str);

/// Writes an error of the framework's shape in the shape of RFC 9457.
pub(super) fn problem(status: StatusCode, ErrorCode(code): ErrorCode, error: Map<String, Value>) -> Value {
    let mut problem = Map::new();
    problem.insert("type".into(), "about:blank".into());
    problem.insert("title".into(), status.canonical_reason().unwrap_or_default().into());
    problem.insert("status".into(), status.as_u16().into());
    problem.insert("code".into(), code.into());
    match error.get("detail") {
        Some(detail @ Value::String(_)) => problem.insert("detail".into(), detail.clone()),
        _ => problem.insert("errors".into(), Value::Object(error)),
    };
    problem.into()
}

/// Why the caller may not do this. It is kept with the answer for the audit trail.
#[derive(Clone)]
pub(super) struct DeniedReason(pub(super) String);

/// What is wrong with a request, in one text. It is kept with the answer for pages.
#[derive(Clone)]
pub(super) struct RequestFault(pub(super) String);

/// Makes an answer without a body.
pub fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Rounds up, because a client that comes early is refused again.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// The framework's message.
fn throttled(seconds: u64) -> String {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    format!("Request was throttled. Expected available in {seconds} {unit}.")
}

/// Makes an answer with a JSON body.
pub fn answer<T: serde::Serialize + ?Sized>(status: StatusCode, body: &T) -> Response {
    let bytes = match json::compact(body) {
        Ok(bytes) => bytes,
        Err(error) => {
            return ApiError::Internal(format!("an answer cannot be written as JSON: {error}"))
                .into_response();
        }
    };
    answer_json(status, bytes)
}

/// Makes an answer from a body that is JSON already.
pub fn answer_json(status: StatusCode, json: Bytes) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::model::Violation;

    fn throttled_after(millis: u64) -> (ApiError, String) {
        let failure = ApiError::from(Error::Busy { retry_after: Duration::from_millis(millis) });
        let detail = failure.body()["detail"].as_str().unwrap().to_owned();
        (failure, detail)
    }

    /// Guards issue 13, number 1: an answer has at most 20 faults, also about many items.
    #[test]
    fn finding_01_faults_of_many_items_are_as_few_as_of_one() {
        let faulty = |count: usize| {
            let mut faults = ValidationErrors::default();
            (0..count).for_each(|number| faults.add(&number.to_string(), &Violation::Null));
            faults
        };
        let shown = |items: &[ValidationErrors]| {
            let body = ApiError::InvalidItems("users", items.to_vec()).body();
            let users = body["users"].as_array().unwrap();
            let counts: Vec<_> = users.iter().map(|faults| faults.as_object().unwrap().len()).collect();
            (counts, body.get("non_field_errors").is_some())
        };
        assert_eq!(shown(&[faulty(0), faulty(2), faulty(0)]), (vec![0, 2, 0], false));
        assert_eq!(shown(&[faulty(20), faulty(0)]), (vec![20, 0], false));
        assert_eq!(shown(&[faulty(20), faulty(0), faulty(1)]), (vec![19, 0], true));
        assert_eq!(shown(&vec![faulty(1); 1000]), (vec![1; 19], true));
        assert_eq!(shown(&vec![faulty(64); 3]), (vec![19], true));
    }

    #[test]
    fn busy_is_the_framework_s_throttling() {
        let (failure, detail) = throttled_after(4_001);
        assert_eq!(detail, "Request was throttled. Expected available in 5 seconds.");
        let response = failure.into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(throttled_after(0).1, "Request was throttled. Expected available in 1 second.");
        assert_eq!(throttled_after(1_000).1, "Request was throttled. Expected available in 1 second.");
    }
}
