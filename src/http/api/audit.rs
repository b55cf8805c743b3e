//! `/api/users/audit`: the audit trail.

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use utoipa::IntoParams;

use super::answers::{ListRefusals, Refusals};
use super::list_parameters::formats;
use super::list_request::ListRequest;
use super::view::{AuditItem, AuditListing, AuditVerification, object_kinds};
use crate::directory::Actor;
use crate::directory::access::ReadAudit;
use crate::directory::audit::EXPORT_PAGE;
use crate::directory::model::AuditFilter;
use crate::directory::query::{AuditQuery, Parameters, audit_head};
use crate::http::app::App;
use crate::http::caller::Require;
use crate::http::error::{ApiError, answer};
use crate::http::site::Site;

/// List Audit Events
///
/// The events of the audit trail, newest first, a page at a time; they are not counted. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/audit",
    operation_id = "audit_list",
    tag = "audit",
    security(("token" = [])),
    params(AuditParameters, PageParameters),
    responses((status = 200, description = "A page of events", body = AuditListing), ListRefusals, Refusals),
)]
pub(super) async fn list(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadAudit>,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let AuditQuery { filter, limit, .. } =
        AuditQuery::parse(&request.parameters, &["limit", "before"]).map_err(ApiError::Invalid)?;
    let found = app.directory().audit_events(&actor, &filter, limit + 1).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    let results: Vec<_> = found.iter().take(shown).map(AuditItem::new).collect();
    let next = results.last().filter(|_| more).map(|last| {
        let page = [("limit", limit.to_string()), ("before", last.id.to_string())];
        let page = page.map(|(name, value)| (name.to_owned(), value));
        site.link(request.kept(&["limit", "before"]).chain(page).collect())
    });
    Ok(answer(StatusCode::OK, &AuditListing { next, results }))
}

/// Export Audit Events
///
/// All events that match the filters, oldest first, as JSON Lines, each with its link in the chain of hashes. An export
/// that ends early does not end like a complete one. For {callers}.
#[utoipa::path(
    get,
    path = "/api/users/audit/export",
    operation_id = "audit_export",
    tag = "audit",
    security(("token" = [])),
    params(AuditParameters, ExportParameters),
    responses(
        (status = 200, description = "Events, one per line", body = String, content_type = "application/x-ndjson",
            example = "{\"id\":1,\"at\":\"2025-09-01T12:00:00.000000Z\",\"action\":\"user.create\"}\n"),
        ListRefusals,
        Refusals,
    ),
)]
pub(super) async fn export(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadAudit>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let AuditQuery { filter, after, .. } =
        AuditQuery::parse(&request.parameters, &["after"]).map_err(ApiError::Invalid)?;
    // The first page is read before the answer begins, so that an early failure still gets a status.
    let first = app.directory().export_audit(&actor, &filter, after).await?;
    let pages = stream::unfold(Some((app, actor, filter, first)), next_page);
    let mut response = Response::new(Body::from_stream(pages));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// The state of an export: the page that is sent next, as lines with their numbers.
type AuditExport = (App, Actor, AuditFilter, Vec<(i64, String)>);

/// Makes the next piece of an export. An error ends the answer early, so that it cannot be taken for a complete one.
async fn next_page(
    export: Option<AuditExport>,
) -> Option<(Result<Bytes, std::io::Error>, Option<AuditExport>)> {
    let (app, actor, filter, page) = export?;
    let last = page.last().map(|(id, _)| *id)?;
    let full = page.len() >= EXPORT_PAGE;
    let lines: String = page.into_iter().map(|(_, line)| line).collect();
    if !full {
        return Some((Ok(lines.into()), None));
    }
    match app.directory().export_audit(&actor, &filter, last).await {
        Ok(page) => Some((Ok(lines.into()), Some((app, actor, filter, page)))),
        Err(error) => {
            tracing::warn!(%error, "an export of the audit trail ended early");
            Some((Err(std::io::Error::other("the export ended early")), None))
        }
    }
}

/// Verify Audit Trail
///
/// Follow the whole chain of events, and name the first one that was changed, removed, added or moved. If it takes
/// longer than a request may, the response is 503: then run `wardroom audit verify` on the server's machine. For
/// {callers}.
#[utoipa::path(
    get,
    path = "/api/users/audit/verify",
    operation_id = "audit_verify",
    tag = "audit",
    security(("token" = [])),
    params(("expect_head" = Option<String>, Query, description = "The `head` of an earlier verification, 64 hexadecimal digits. If it is no longer in the chain, events were cut off.")),
    responses((status = 200, description = "The result", body = AuditVerification), ListRefusals, Refusals),
)]
pub(super) async fn verify(
    State(app): State<App>,
    Require { actor, .. }: Require<ReadAudit>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let request = ListRequest::parse(query.as_deref())?;
    let known = |name: &str| ["expect_head", "format"].contains(&name);
    let mut given = Parameters::new(&request.parameters, known);
    let expected = given.parsed("expect_head", audit_head);
    given.finish().map_err(ApiError::Invalid)?;
    let found = app.directory().verify_audit(&actor, expected.as_deref()).await?;
    Ok(answer(StatusCode::OK, &AuditVerification::new(&found)))
}

/// The filters of events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct AuditParameters {
    /// With this action, such as `user.update`, `sign_in` or `sign_in.refused`.
    action: Option<String>,
    /// By the user with this ID.
    actor_id: Option<i64>,
    /// By an actor who has this name now, or had it then. Example: `ada_admin`.
    actor_name: Option<String>,
    /// About an object of this kind; `directory` is all data together.
    #[param(schema_with = object_kinds)]
    object_kind: Option<String>,
    /// About the object with this ID.
    object_id: Option<i64>,
    /// About an object that has this name now, or had it then. Example: `alex_thompson`.
    object_name: Option<String>,
    /// Requested from this address. Example: `127.0.0.1`.
    address: Option<String>,
    /// At this time or later: RFC 3339, or a day (UTC). Example: `2025-09-01`.
    from: Option<String>,
    /// Before this time. Example: `2099-09-02T12:00:00Z`.
    to: Option<String>,
    /// The format of the response; there is only one.
    #[param(schema_with = formats)]
    format: Option<String>,
}

/// The page of events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct PageParameters {
    /// Events per page, 1 to 1000; 10 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
    /// Only events older than the one with this number, as in `next`.
    before: Option<i64>,
}

/// Where an export begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
struct ExportParameters {
    /// Only events with a higher number. To continue an export, the number of its last event.
    after: Option<i64>,
}
