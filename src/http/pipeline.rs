//! What happens around every handler of every surface: bounds, negotiation, credentials, and the headers of every
//! answer.
//!
//! The order of checks is the contract's: path, `format` and `Accept`, bad credentials, permission, method, body.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, VARY};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use super::app::App;
use super::body::{BodyLimit, open_body_bytes};
use super::caller::{self, BadCredentials, CallerIdentity, Staff};
use super::error::{ApiError, answer};
use super::headers::{UNCACHED, VARIES, set_token_expiry};
use super::json;
use super::negotiate::negotiate;
use super::problem;
use super::reason::Reason;
use super::resource::RouteName;
use super::schemes::Schemes;
use super::throttle::{self, CountedRequest};
use crate::directory::limiter::RateLimitStatus;
use crate::directory::model::Timestamp;
use crate::directory::{Bearer, Origin};

/// The answers to a service that may not introspect, or has done so too often.
const REFUSALS: [StatusCode; 3] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];

/// The most parameters of a query; no list has more than half as many.
const PARAMETERS_MAX: usize = 64;

/// Puts the pipeline around routes. It also answers `OPTIONS` and methods that a route does not have.
pub(super) fn wrap(app: &App, routes: Router<App>) -> Router<App> {
    routes.method_not_allowed_fallback(other_method).layer(from_fn_with_state(app.clone(), around))
}

/// Answers with an error and the headers of every answer of the route.
pub(super) fn error_response(error: ApiError, app: &App, route: &str) -> Response {
    with_common_headers(error.into_response(), app, route)
}

/// The rejection of a request that the express lane or forward authentication makes.
pub(super) struct Rejection {
    pub(super) error: ApiError,
    /// The route that it is of.
    pub(super) route: &'static str,
    /// The request's rate limit, if it was counted.
    pub(super) status: Option<RateLimitStatus>,
    /// When the good token ends that it came with.
    pub(super) end: Option<Timestamp>,
    /// The token that it came with, if it is known.
    pub(super) bearer: Option<Bearer>,
    /// Why its key was refused, for the log.
    pub(super) reason: Option<Reason>,
}

impl Rejection {
    /// A rejection of which nothing else is known.
    pub(super) fn new(error: ApiError, route: &'static str) -> Box<Self> {
        Box::new(Self { error, route, status: None, end: None, bearer: None, reason: None })
    }

    /// Makes the answer.
    pub(super) fn into_response(self, app: &App) -> Response {
        let mut response = error_response(self.error, app, self.route);
        set_token_expiry(response.headers_mut(), self.end);
        if let Some(status) = self.status {
            throttle::write_headers(&status, response.headers_mut());
        }
        let over_limit = self.status.as_ref().and_then(throttle::reason);
        with_bearer(with_reason(response, over_limit.or(self.reason)), self.bearer)
    }
}

/// Notes in the answer which token its request came with, for the access log and the audit trail.
pub(super) fn with_bearer(mut response: Response, bearer: Option<Bearer>) -> Response {
    if let Some(bearer) = bearer {
        response.extensions_mut().insert(bearer);
    }
    response
}

/// Notes in the answer why its request was refused, for the log.
pub(super) fn with_reason(mut response: Response, reason: Option<Reason>) -> Response {
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}

async fn around(State(app): State<App>, route: MatchedPath, mut request: Request, next: Next) -> Response {
    if !ids_are_digits(route.as_str(), request.uri().path()) {
        return ApiError::NotFound.into_response();
    }
    if let Err(error) = check_query(request.uri().query()) {
        return error_response(error, &app, route.as_str());
    }
    let limit = body_limit(&app, route.as_str(), request.method());
    request.extensions_mut().insert(limit);
    let own_format = app.resource(route.as_str()).and_then(|resource| resource.own_format.as_deref());
    let negotiated = match negotiate(request.uri().query(), request.headers(), own_format) {
        Ok(negotiated) => negotiated,
        Err(error) => return error_response(error, &app, route.as_str()),
    };
    let counted = CountedRequest::default();
    request.extensions_mut().insert(counted.clone());
    let schemes = Schemes::of(route.as_str());
    if schemes == Schemes::Any {
        request.extensions_mut().insert(app.directory().feed_mark());
    }
    let (parts, body) = request.into_parts();
    let identified = identify(&app, &parts, schemes).await;
    let missing = matches!(identified, Ok(None)).then(|| caller::explain(&parts.headers));
    let request = Request::from_parts(parts, body);
    let response = match identified {
        Err(BadCredentials { error, bearer, reason }) => {
            with_bearer(with_reason(error.into_response(), reason), bearer)
        }
        Ok(None) => {
            let response = next.run(request).await;
            let missing = missing.filter(|_| response.status() == StatusCode::UNAUTHORIZED);
            with_reason(response, missing)
        }
        Ok(Some(caller)) => answer_caller(&app, caller, request, next).await,
    };
    if schemes == Schemes::Any && REFUSALS.contains(&response.status()) {
        app.metrics().count_introspection("refused");
    }
    let response = with_reason(response, counted.reason());
    let response = if negotiated.problems { problem::convert(response).await } else { response };
    let response = match negotiated.indent {
        Some(blanks) => indented(response, blanks).await,
        None => response,
    };
    let mut response = with_common_headers(response, &app, route.as_str());
    counted.write_headers(response.headers_mut());
    response
}

/// Finds the caller. A request without a good token is counted before it is answered.
async fn identify(
    app: &App,
    parts: &Parts,
    schemes: Schemes,
) -> Result<Option<CallerIdentity>, BadCredentials> {
    let from = parts.extensions.get::<Origin>().and_then(Origin::client);
    match caller::identify(app, &parts.headers, schemes, from).await {
        Ok(None) => throttle::count_client(app, parts).map(|()| None).map_err(|error| BadCredentials {
            error,
            bearer: None,
            reason: None,
        }),
        Err(BadCredentials { error: error @ ApiError::Unauthenticated(_), bearer, reason }) => {
            let error = throttle::count_client(app, parts).err().unwrap_or(error);
            Err(BadCredentials { error, bearer, reason })
        }
        identified => identified,
    }
}

async fn answer_caller(app: &App, caller: CallerIdentity, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<Origin>().and_then(Origin::ip);
    app.directory().note_use_of(&caller.0, from);
    let (end, bearer) = (caller.0.token.expires_at, caller.0.bearer());
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    set_token_expiry(response.headers_mut(), end);
    with_bearer(response, Some(bearer))
}

/// Whether each part of the path that is an id has digits alone. Otherwise the path is unknown.
fn ids_are_digits(route: &str, path: &str) -> bool {
    let mut parts = route.split('/').zip(path.split('/'));
    !route.contains('{')
        || parts
            .all(|(part, given)| !part.starts_with('{') || given.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How many bytes the body of a request to this route may have.
fn body_limit(app: &App, route: &str, method: &Method) -> BodyLimit {
    let most = app.settings().max_body_bytes;
    match app.resource(route).filter(|resource| resource.needs_token(method)) {
        None => BodyLimit { texts: most.min(open_body_bytes(route)), file: None },
        Some(resource) => {
            let file = resource.takes_file(method).then(|| app.media().studio().limits().max_bytes);
            BodyLimit { texts: most, file }
        }
    }
}

/// Counts the parameters of a query before it is parsed.
fn check_query(query: Option<&str>) -> Result<(), ApiError> {
    let parameters = query.map_or(0, |query| query.split('&').filter(|part| !part.is_empty()).count());
    match parameters {
        ..=PARAMETERS_MAX => Ok(()),
        _ => Err(ApiError::BadRequest("A query may have at most 64 parameters.")),
    }
}

/// Adds the headers of every answer, and the route's name for the log and the metrics.
pub(super) fn with_common_headers(mut response: Response, app: &App, route: &str) -> Response {
    let headers = response.headers_mut();
    if let Some(resource) = app.resource(route) {
        headers.insert(ALLOW, resource.allow());
    }
    headers.insert(VARY, HeaderValue::from_static(VARIES));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(UNCACHED));
    response.extensions_mut().insert(RouteName(route.to_owned()));
    response
}

async fn indented(response: Response, blanks: usize) -> Response {
    let (parts, body) = response.into_parts();
    // The body is one that we made, whole and in memory.
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return ApiError::Internal("an answer could not be read back".into()).into_response();
    };
    let bytes = json::indented(&bytes, blanks).unwrap_or(bytes);
    let mut response = Response::from_parts(parts, bytes.into());
    response.headers_mut().remove(http::header::CONTENT_LENGTH);
    response
}

/// Answers `OPTIONS`, and methods that the route does not have. Only for staff, unless the route needs no token.
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
        "renders": [resource.own_format.as_deref().unwrap_or("application/json")],
        "parses": resource.parses(),
    });
    Ok(answer(StatusCode::OK, &metadata))
}
