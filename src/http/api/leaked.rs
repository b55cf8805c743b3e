//! `/api/users/auth/leaked`: keys that were found where they do not belong.

use std::time::Duration;

use axum::Extension;
use axum::body::Body as RawBody;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use super::answers::{BodyRefusals, Throttled};
use super::bodies::{KEY_MAX, LeakedKeys};
use super::view::Detail;
use crate::directory::access::Who;
use crate::directory::{Actor, Origin};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::error::ApiError;

/// The route, whose body may be larger than those of other open routes.
pub(in crate::http) const LEAKED: &str = "/api/users/auth/leaked";

/// How long an answer takes at least. It is longer than the work, so its time does not show what was found.
const SHORTEST_ANSWER: Duration = Duration::from_millis(250);

/// A report that has been counted, before its body is read.
pub(super) struct CountedReport;

impl FromRequestParts<App> for CountedReport {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        app.directory().count_leak_report(&origin).await?;
        Ok(Self)
    }
}

/// Report Leaked Keys
///
/// Revoke the tokens of keys that were found where they do not belong. No token is needed: who has a key may end it.
/// The answer and its time are the same whatever the keys are. The audit trail names the owners. At most 60 reports an
/// hour from one address, or from one network of IPv6.
#[utoipa::path(
    post,
    path = "/api/users/auth/leaked",
    operation_id = "auth_leaked",
    tag = "auth",
    request_body = LeakedKeys,
    responses(
        (status = 202, description = "The report was received; keys that were valid no longer are"),
        (status = 401, description = "An `Authorization` header was sent and is not valid", body = Detail),
        BodyRefusals,
        Throttled,
    ),
)]
pub(super) async fn report(
    State(app): State<App>,
    _: CountedReport,
    Extension(origin): Extension<Origin>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let keys = fields.texts("tokens", KEY_MAX);
    fields.require("tokens", keys.is_some());
    fields.end()?;
    let keys = keys.unwrap_or_default();
    let actor = Actor { who: Who::Anonymous, origin };
    let work = app.directory().revoke_leaked(&actor, &keys);
    let (revoked, ()) = tokio::join!(work, tokio::time::sleep(SHORTEST_ANSWER));
    revoked?;
    let mut response = Response::new(RawBody::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
