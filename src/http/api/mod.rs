//! Every API route, in one list, and what holds for all of them: negotiation, credentials, the headers
//! of every answer, `OPTIONS` and methods that a route does not know.
//!
//! The order of checks is the contract's: path, `format` and `Accept`, bad credentials, permission,
//! method, body.

mod answers;
mod audit;
mod auth;
mod bulk;
mod document;
mod fields;
mod groups;
mod list;
mod list_parameters;
mod me;
mod password;
mod permissions;
mod recycle_bin;
mod tokens;
mod users;
pub mod view;
mod wanted;

use std::collections::HashMap;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{ALLOW, CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::body::{BodyLimit, OPEN_BODY_BYTES};
use super::caller::{self, Rejected, Staff};
use super::error::{ApiError, answer};
use super::json;
use super::negotiate::negotiate;
use super::problem;
use super::throttle::{self, Counted};
use crate::directory::model::Timestamp;
use crate::directory::{Bearer, Origin};

/// The route that has a way of its own, too: `http::express`.
pub(super) const ME: &str = "/api/users/me";

/// The route that an answer belongs to, for whoever counts it.
#[derive(Clone)]
pub(super) struct Route(pub(super) String);

/// What an answer depends on beside the path.
pub(super) const VARIES: &str = "Accept, Authorization";
/// Who may keep an answer: nobody.
pub(super) const UNCACHED: &str = "private, no-store";

/// A refusal with the headers of every answer of its route.
pub(super) fn refused(failure: ApiError, app: &App, route: &str) -> Response {
    dressed(failure.into_response(), app, route)
}

/// Tells when the token ends that the request came with.
pub(super) fn tell_end(headers: &mut HeaderMap, end: Option<Timestamp>) {
    if let Some(end) = end.and_then(|end| HeaderValue::try_from(end.to_string()).ok()) {
        headers.insert("x-token-expires-at", end);
    }
}

/// The routes. The path stands on the handler, once, for the router and the document.
///
/// An operation whose document names no `security` is open to all: its body may have
/// [`OPEN_BODY_BYTES`](super::body::OPEN_BODY_BYTES). So has the body of a route that the document does not know.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(head())
        .routes(routes!(me::retrieve, me::update))
        .routes(routes!(password::change))
        .routes(routes!(tokens::list_own, tokens::issue_own))
        .routes(routes!(tokens::update_own, tokens::revoke_own))
        .routes(routes!(tokens::rotate_own))
        .routes(routes!(tokens::sign_out_own))
        .routes(routes!(users::list, users::create))
        .routes(routes!(bulk::create, bulk::update, bulk::destroy))
        .routes(routes!(recycle_bin::list))
        .routes(routes!(recycle_bin::purge))
        .routes(routes!(recycle_bin::restore))
        .routes(routes!(users::retrieve, users::update, users::replace, users::destroy))
        .routes(routes!(tokens::list, tokens::issue))
        .routes(routes!(tokens::update, tokens::revoke))
        .routes(routes!(tokens::rotate))
        .routes(routes!(tokens::sign_out))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::retrieve, groups::update, groups::replace, groups::destroy))
        .routes(routes!(groups::add_members, groups::remove_members))
        .routes(routes!(permissions::list))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(auth::sign_in))
        .routes(routes!(auth::sign_out))
        .route("/api/users/auth/otp/signin", post(auth::not_yet))
        .route("/api/users/auth/otp/verify", post(auth::not_yet))
}

/// The API, ready to be served.
pub fn router(app: &App) -> Router<App> {
    let (router, _) = routes().split_for_parts();
    router.method_not_allowed_fallback(other_method).layer(from_fn_with_state(app.clone(), around))
}

/// The OpenAPI document of all routes.
pub fn document() -> Value {
    document::complete(&routes().split_for_parts().1)
}

fn head() -> OpenApi {
    let mut document = OpenApi::default();
    document.info.title = "Wardroom".into();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    document.info.description = Some(
        "Who is calling, and may they? Every path is answered with and without a slash at its end.".into(),
    );
    let about = "`Authorization: Token <key>`";
    let token = ApiKeyValue::with_description("Authorization", about);
    let components = document.components.get_or_insert_default();
    // What shared answers alone refer to is not gathered by itself.
    components.schemas.insert("Problem".to_owned(), <view::Problem as PartialSchema>::schema());
    components.schemas.insert("ItemErrors".to_owned(), <view::ItemErrors as PartialSchema>::schema());
    components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(token)));
    document
}

/// What is known of a route beyond its handlers.
pub struct Resource {
    name: String,
    description: String,
    /// The methods that need a token.
    guarded: Vec<Method>,
    /// Whether anybody may ask, without a token.
    open: bool,
    allow: HeaderValue,
}

/// Every route with what the document says of it.
pub fn resources() -> HashMap<String, Resource> {
    let document = routes().split_for_parts().1;
    document.paths.paths.iter().map(|(path, item)| (path.clone(), Resource::of(item))).collect()
}

impl Resource {
    /// The methods it knows.
    pub(super) fn allow(&self) -> HeaderValue {
        self.allow.clone()
    }

    fn of(item: &PathItem) -> Self {
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
        Self {
            open: guarded.is_empty(),
            guarded,
            name: first.and_then(|operation| operation.summary.clone()).unwrap_or_default(),
            description: first.and_then(|operation| operation.description.clone()).unwrap_or_default(),
            // Method names are plain ASCII, which every header value may hold.
            allow: HeaderValue::from_str(&allow.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS")),
        }
    }
}

/// The most parameters of a query; no list knows more than half of it.
const PARAMETERS_MAX: usize = 64;

/// Whether each part of the path that stands for an id has digits alone. If not, it is no path of ours.
fn ids_are_digits(route: &str, path: &str) -> bool {
    let mut parts = route.split('/').zip(path.split('/'));
    !route.contains('{')
        || parts
            .all(|(part, given)| !part.starts_with('{') || given.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How many bytes the body of a request to this route may have.
fn body_limit(app: &App, route: &str, method: &Method) -> BodyLimit {
    let most = app.settings().max_body_bytes;
    let guarded = app.resource(route).is_some_and(|resource| resource.guarded.contains(method));
    BodyLimit(if guarded { most } else { most.min(OPEN_BODY_BYTES) })
}

/// Counted before anybody takes the query apart.
fn bounded_query(query: Option<&str>) -> Result<(), ApiError> {
    let parameters = query.map_or(0, |query| query.split('&').filter(|part| !part.is_empty()).count());
    match parameters {
        ..=PARAMETERS_MAX => Ok(()),
        _ => Err(ApiError::BadRequest("A query may have at most 64 parameters.")),
    }
}

/// What happens around every API handler.
async fn around(State(app): State<App>, route: MatchedPath, mut request: Request, next: Next) -> Response {
    if !ids_are_digits(route.as_str(), request.uri().path()) {
        return ApiError::NotFound.into_response();
    }
    if let Err(failure) = bounded_query(request.uri().query()) {
        return refused(failure, &app, route.as_str());
    }
    let limit = body_limit(&app, route.as_str(), request.method());
    request.extensions_mut().insert(limit);
    let negotiated = match negotiate(request.uri().query(), request.headers()) {
        Ok(negotiated) => negotiated,
        Err(failure) => return refused(failure, &app, route.as_str()),
    };
    let counted = Counted::default();
    request.extensions_mut().insert(counted.clone());
    let (parts, body) = request.into_parts();
    let identified = match caller::identify(&app, &parts.headers).await {
        // Whoever sends no good token is counted before they are told so.
        Ok(None) => throttle::count_client(&app, &parts)
            .map(|()| None)
            .map_err(|failure| Rejected { failure, bearer: None }),
        Err(Rejected { failure: failure @ ApiError::Unauthenticated(_), bearer }) => {
            let failure = throttle::count_client(&app, &parts).err().unwrap_or(failure);
            Err(Rejected { failure, bearer })
        }
        identified => identified,
    };
    let mut request = Request::from_parts(parts, body);
    let response = match identified {
        Err(Rejected { failure, bearer }) => with_bearer(failure.into_response(), bearer),
        Ok(None) => next.run(request).await,
        Ok(Some(caller)) => {
            if let Some(address) = request.extensions().get::<Origin>().and_then(Origin::ip) {
                app.directory().note_use_of(&caller.0, address);
            }
            let (end, bearer) = (caller.0.token.expires_at, caller.0.bearer());
            request.extensions_mut().insert(caller);
            let mut response = next.run(request).await;
            tell_end(response.headers_mut(), end);
            with_bearer(response, Some(bearer))
        }
    };
    let response = if negotiated.problems { problem::told(response).await } else { response };
    let response = match negotiated.indent {
        Some(blanks) => indented(response, blanks).await,
        None => response,
    };
    let mut response = dressed(response, &app, route.as_str());
    counted.tell(response.headers_mut());
    response
}

/// An answer that says whose token its request came with, for the access log and the audit trail.
pub(super) fn with_bearer(mut response: Response, bearer: Option<Bearer>) -> Response {
    if let Some(bearer) = bearer {
        response.extensions_mut().insert(bearer);
    }
    response
}

/// The headers of every API answer, and the route for whoever counts it.
fn dressed(mut response: Response, app: &App, route: &str) -> Response {
    let headers = response.headers_mut();
    if let Some(resource) = app.resource(route) {
        headers.insert(ALLOW, resource.allow());
    }
    headers.insert(VARY, HeaderValue::from_static(VARIES));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(UNCACHED));
    response.extensions_mut().insert(Route(route.to_owned()));
    response
}

async fn indented(response: Response, blanks: usize) -> Response {
    let (parts, body) = response.into_parts();
    // The body is one we made ourselves, whole and in memory.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return ApiError::Internal("an answer could not be read back".into()).into_response();
    };
    let bytes = json::indented(&bytes, blanks).unwrap_or(bytes);
    let mut response = Response::from_parts(parts, bytes.into());
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    response
}

/// `OPTIONS`, or a method the route does not know; for staff alone, unless the route is open to all.
async fn other_method(
    State(app): State<App>,
    route: MatchedPath,
    method: Method,
    staff: Result<Staff, ApiError>,
) -> Result<Response, ApiError> {
    if !app.resource(route.as_str()).is_none_or(|resource| resource.open) {
        staff?;
    }
    let resource = app.resource(route.as_str()).filter(|_| method == Method::OPTIONS);
    let resource = resource.ok_or(ApiError::MethodNotAllowed(method))?;
    let metadata = json!({
        "name": resource.name,
        "description": resource.description,
        "renders": ["application/json"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    });
    Ok(answer(StatusCode::OK, &metadata))
}
