//! `/api/auth/introspect`: whose a key is that another service was sent (RFC 7662).

use std::net::IpAddr;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use super::answers::{FormRefusals, Refusals};
use super::bodies::IntrospectionRequest;
use super::view::Introspection;
use crate::directory::FeedMark;
use crate::directory::model::Violation;
use crate::http::app::App;
use crate::http::body::{Fields, FormBody};
use crate::http::caller::Introspects;
use crate::http::error::{ApiError, answer, answer_json};
use crate::http::schemes::INTROSPECT;
use crate::http::text::query_parameter;
use crate::network::parse_address;

/// What is said of every key that is not valid, or not for the caller to know.
const INACTIVE: &[u8] = br#"{"active":false}"#;

/// The field with the address of the client that sent the key to the service.
const CLIENT_ADDRESS: &str = "client_address";

/// Introspect Token
///
/// Is a key valid that a service was sent, whose is it, and what may its owner do? As in RFC 7662. The service sends
/// its own key as `Token`, as `Bearer`, or as the password of `Basic`. A key that is unknown, malformed, expired or
/// revoked, or whose owner is not active, is `{"active": false}`; so is the key of another user if the service may not
/// read users, and one that is limited to networks unless `client_address` is in one of them. Whether a method is allowed
/// by `read_only`, the service has to check. For {callers}.
#[utoipa::path(
    post,
    path = "/api/auth/introspect",
    operation_id = "auth_introspect",
    tag = "auth",
    security(("token" = []), ("token_bearer" = []), ("token_basic" = [])),
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "What is known of the key", body = Introspection), FormRefusals, Refusals),
)]
pub(super) async fn introspect(
    State(app): State<App>,
    Introspects(actor): Introspects,
    Extension(since): Extension<FeedMark>,
    RawQuery(query): RawQuery,
    FormBody(body): FormBody,
) -> Result<Response, ApiError> {
    if query.is_some_and(|query| query_parameter(&query, "token").is_some()) {
        tracing::warn!("a token in the query of {INTROSPECT} is ignored: a service must send it in the body");
    }
    let mut fields = Fields::from(body);
    let token = fields.single_text("token");
    fields.single_text("token_type_hint");
    let client = client_address(&mut fields);
    fields.require_some("token", token.as_deref());
    // RFC 7662, section 2.1: a service may send parameters that this server does not know.
    fields.ignore_rest();
    fields.end()?;
    let known = app.directory().introspect(&actor, &token.unwrap_or_default(), client, since).await?;
    app.metrics().count_introspection(if known.is_some() { "active" } else { "inactive" });
    let mut response = match known {
        Some(identity) => answer(StatusCode::OK, &Introspection::new(&identity)),
        None => answer_json(StatusCode::OK, Bytes::from_static(INACTIVE)),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Reads the address of the client that sent the key to the service.
fn client_address(fields: &mut Fields) -> Option<IpAddr> {
    let text = fields.single_text(CLIENT_ADDRESS)?;
    let address = parse_address(&text);
    if address.is_none() {
        let shown: String = text.chars().take(60).collect();
        let message = format!(
            "\"{shown}\" is no IP address. Send that of the client, such as 192.0.2.7 or 2001:db8::7, or leave the field out."
        );
        fields.refuse(CLIENT_ADDRESS, &Violation::Other(message));
    }
    address
}
