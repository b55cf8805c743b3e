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
use crate::directory::leaked_keys::LEAKED_PART;
use crate::directory::{Actor, Origin};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::error::ApiError;
use crate::http::even_time::in_steps;

/// How long an answer takes, and for each part of keys that were sent how much longer. It is longer than the work, so its time
/// does not show what was found.
const SHORTEST_ANSWER: Duration = Duration::from_millis(250);
const EACH_PART: Duration = Duration::from_millis(100);

/// A report that has been counted, before its body is read.
pub(super) struct CountedReport;

impl FromRequestParts<App> for CountedReport {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        app.directory().count_leak_report(&origin)?;
        Ok(Self)
    }
}

/// Report Leaked Keys
///
/// Revoke the tokens of keys that were found where they do not belong. No token is needed: who has a key may end it.
/// The answer is the same whatever the keys are, and its time depends on their number alone. The audit trail names the
/// owners. At most 60 reports an hour from one address, or from one network of IPv6.
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
    in_steps(time_of(keys.len()), app.directory().report_leaked(&actor, &keys)).await?;
    let mut response = Response::new(RawBody::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// How long the answer to a report of this many keys takes.
fn time_of(keys: usize) -> Duration {
    let further = u32::try_from(keys.div_ceil(LEAKED_PART)).unwrap_or(u32::MAX).saturating_sub(1);
    SHORTEST_ANSWER.saturating_add(EACH_PART.saturating_mul(further))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_answer_depends_on_the_number_of_keys_and_no_work_shows_in_it() {
        let millis = Duration::from_millis;
        for (keys, expected) in [(0, 250), (1, 250), (50, 250), (51, 350), (100, 350), (1000, 2150)] {
            assert_eq!(time_of(keys), millis(expected), "{keys}");
        }
    }
}
