//! What the OpenAPI document says of a route: its name, its methods, and which of them need a token.

use std::collections::HashMap;

use http::{HeaderValue, Method};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{PathItem, RefOr};

const FORM: &str = "application/x-www-form-urlencoded";

/// The route that an answer belongs to, for the log and the metrics.
#[derive(Clone)]
pub(super) struct RouteName(pub(super) String);

/// Every documented route by its path.
pub type Resources = HashMap<String, Resource>;

/// A route of the document.
pub struct Resource {
    pub(super) name: String,
    pub(super) description: String,
    /// The methods that need a token.
    guarded: Vec<Method>,
    /// The methods whose body may be a form with a file.
    with_file: Vec<Method>,
    /// Whether no method needs a token.
    pub(super) open: bool,
    /// The media type of its successes if it is not JSON.
    pub(super) own_format: Option<String>,
    /// Whether its bodies are forms only.
    form_only: bool,
    allow: HeaderValue,
}

impl Resource {
    /// Reads a path of the document.
    pub(super) fn of(item: &PathItem) -> Self {
        let known = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        let known: Vec<_> =
            known.into_iter().filter_map(|(name, operation)| Some((name, operation.as_ref()?))).collect();
        let mut allow: Vec<_> = known.iter().map(|(name, _)| name.as_str()).collect();
        if item.get.is_some() {
            allow.push("HEAD");
        }
        allow.push("OPTIONS");
        let first = known.first().map(|(_, operation)| *operation);
        let guarded = known.iter().filter(|(_, operation)| operation.security.is_some());
        let guarded: Vec<_> = guarded.map(|(method, _)| method.clone()).collect();
        let takes_file = |operation: &Operation| {
            let Some(RefOr::T(body)) = &operation.request_body else { return false };
            body.content.contains_key("multipart/form-data")
        };
        let with_file = known.iter().filter(|(_, operation)| takes_file(operation));
        let with_file = with_file.map(|(method, _)| method.clone()).collect();
        Self {
            with_file,
            form_only: known.iter().any(|(_, operation)| is_form_only(operation)),
            open: guarded.is_empty(),
            guarded,
            own_format: own_format(item),
            name: first.and_then(|operation| operation.summary.clone()).unwrap_or_default(),
            description: first.and_then(|operation| operation.description.clone()).unwrap_or_default(),
            // Method names are plain ASCII, which every header value may hold.
            allow: HeaderValue::from_str(&allow.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS")),
        }
    }

    /// The value of `Allow`.
    pub(super) fn allow(&self) -> HeaderValue {
        self.allow.clone()
    }

    /// The media types of the bodies that it reads.
    pub(super) fn parses(&self) -> &'static [&'static str] {
        if self.form_only { &[FORM] } else { &["application/json", FORM, "multipart/form-data"] }
    }

    /// Whether this method needs a token.
    pub(super) fn needs_token(&self, method: &Method) -> bool {
        self.guarded.contains(method)
    }

    /// Whether the body of this method may be a form with a file.
    pub(super) fn takes_file(&self, method: &Method) -> bool {
        self.with_file.contains(method)
    }
}

fn is_form_only(operation: &Operation) -> bool {
    let Some(RefOr::T(body)) = &operation.request_body else { return false };
    body.content.keys().all(|media_type| media_type == FORM)
}

fn own_format(item: &PathItem) -> Option<String> {
    let success = item.get.as_ref()?.responses.responses.get("200")?;
    let RefOr::T(success) = success else { return None };
    success.content.keys().find(|format| *format != "application/json").cloned()
}
