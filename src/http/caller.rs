//! The caller of a request: from the `Authorization` header to an argument of the handler.
//!
//! The header is read byte for byte as Django REST Framework reads it, and no other place may hold a key. Handlers take
//! extractors such as [`Staff`]; they never see the header.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

use super::app::App;
use super::error::ApiError;
use super::reason::Reason;
use super::schemes::{Schemes, TOKEN_AND_BEARER, basic_password};
use super::throttle;
use crate::config::TokenKeywords;
use crate::directory::access::{
    Action, Introspect, NeedsPermission, Who, authorize, holds_permission, may_read_self, scope_name,
};
use crate::directory::model::{ActivityKind, Scope};
use crate::directory::{Actor, Bearer, Denial, Identity, Origin, TokenEnd, Unauthenticated};
use crate::telemetry::OutcomeLabels;

/// The answer to a request without credentials.
pub(super) const NOT_PROVIDED: &str = "Authentication credentials were not provided.";

/// The content of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Presented<'a> {
    /// No header, an empty one, or another scheme.
    Nothing,
    /// A key that has not been checked.
    Key(&'a str),
    /// The right scheme, wrongly used; the text says how.
    Malformed(&'static str),
}

/// The caller whose key was good. It is put into the request's extensions.
#[derive(Clone)]
pub struct CallerIdentity(pub Arc<Identity>);

/// Credentials that are not good.
pub struct BadCredentials {
    /// The answer.
    pub error: ApiError,
    /// The token that was presented, if it is known.
    pub bearer: Option<Bearer>,
    /// Why they are refused, for the log, if the error does not say it.
    pub(super) reason: Option<Reason>,
}

/// Reads the header and checks the key, which a client at this address has sent. `None` is a request without credentials, which some routes allow.
pub(super) async fn identify(
    app: &App,
    headers: &HeaderMap,
    schemes: Schemes,
    from: Option<IpAddr>,
) -> Result<Option<CallerIdentity>, BadCredentials> {
    let joined = authorization(headers);
    let basic = if schemes == Schemes::Any { basic_password(&joined) } else { Ok(None) };
    let presented = match &basic {
        Err(detail) => Presented::Malformed(detail),
        Ok(Some(key)) => Presented::Key(key),
        Ok(None) => match parse(&joined, &app.settings().token_keywords) {
            Presented::Nothing if schemes == Schemes::Any => parse(&joined, &TOKEN_AND_BEARER),
            presented => presented,
        },
    };
    let key = match presented {
        Presented::Nothing => return Ok(None),
        Presented::Malformed(detail) => {
            let error = ApiError::Unauthenticated(detail);
            return Err(BadCredentials { error, bearer: None, reason: several(headers) });
        }
        Presented::Key(key) => key,
    };
    match app.directory().authenticate(key, from).await {
        Ok(identity) => {
            count(app, "accepted");
            Ok(Some(CallerIdentity(identity)))
        }
        Err(refused) => {
            let (bearer, reason) = (refused.bearer(), Some(Reason::of_key(key, &refused)));
            Err(BadCredentials { error: refusal(app, refused), bearer, reason })
        }
    }
}

/// Explains, for the log, why a request has no credentials.
pub(super) fn explain(headers: &HeaderMap) -> Reason {
    let header = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    several(headers).unwrap_or_else(|| Reason::of_other_header(header))
}

/// The reason that counts before any other: two headers never make credentials.
fn several(headers: &HeaderMap) -> Option<Reason> {
    let count = headers.get_all(header::AUTHORIZATION).iter().count();
    (count > 1).then(|| Reason::new("there is more than one Authorization header"))
}

/// Turns a failed authentication into an answer, and counts it.
pub(super) fn refusal(app: &App, refused: Unauthenticated) -> ApiError {
    if let Some(kind) = activity_of(&refused) {
        app.directory().note_activity(kind);
    }
    let (outcome, answer) = match refused {
        Unauthenticated::InvalidToken(_) => ("refused", ApiError::Unauthenticated("Invalid token.")),
        Unauthenticated::Inactive(_) => ("refused", ApiError::Unauthenticated("User inactive or deleted.")),
        Unauthenticated::Failed(error) => {
            app.directory().note_failed_look_up();
            ("failed", error.into())
        }
    };
    count(app, outcome);
    answer
}

/// What a refused key counts as; `None` if it could not be looked up.
fn activity_of(refused: &Unauthenticated) -> Option<ActivityKind> {
    Some(match refused {
        Unauthenticated::InvalidToken(None) => ActivityKind::KeyUnknown,
        Unauthenticated::InvalidToken(Some(ended)) => match ended.why {
            TokenEnd::Revoked => ActivityKind::KeyRevoked,
            TokenEnd::Expired => ActivityKind::KeyExpired,
            TokenEnd::Idle => ActivityKind::KeyIdle,
            TokenEnd::Outside | TokenEnd::Nowhere => ActivityKind::KeyOutside,
            TokenEnd::Browser => ActivityKind::KeyBrowser,
        },
        Unauthenticated::Inactive(_) => ActivityKind::KeyInactive,
        Unauthenticated::Failed(_) => return None,
    })
}

/// Counts the outcome of an authentication.
pub(super) fn count(app: &App, outcome: &'static str) {
    app.metrics().authentications.get_or_create(&OutcomeLabels { outcome }).inc();
}

/// Joins all `Authorization` lines with commas, as the gateway interface below the framework does. Two lines never make
/// a good header.
fn authorization(headers: &HeaderMap) -> Vec<u8> {
    let lines: Vec<_> =
        headers.get_all(header::AUTHORIZATION).iter().map(http::HeaderValue::as_bytes).collect();
    lines.join(&b","[..])
}

/// Parses the header. Any of the keywords may precede the key.
pub(super) fn parse<'a>(header: &'a [u8], keywords: &TokenKeywords) -> Presented<'a> {
    // In the usual form, which is always accepted, the rest of the header is the key.
    if let Some(key) = header.strip_prefix(b"Token ")
        && !key.is_empty()
        // Not stopping at the first bad byte lets the compiler check several bytes at a step.
        && key.iter().fold(true, |good, byte| good & byte.is_ascii_graphic())
    {
        return std::str::from_utf8(key).map_or(Presented::Nothing, Presented::Key);
    }
    // As Python's bytes.split(): only ASCII blanks separate or are trimmed.
    let mut parts = header.split(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).filter(|part| !part.is_empty());
    if !parts.next().is_some_and(|scheme| keywords.contains(scheme)) {
        return Presented::Nothing;
    }
    match (parts.next(), parts.next()) {
        (None, _) => Presented::Malformed("Invalid token header. No credentials provided."),
        (Some(_), Some(_)) => {
            Presented::Malformed("Invalid token header. Token string should not contain spaces.")
        }
        (Some(key), None) => match std::str::from_utf8(key) {
            Ok(key) => Presented::Key(key),
            Err(_) => Presented::Malformed(
                "Invalid token header. Token string should not contain invalid characters.",
            ),
        },
    }
}

/// Returns the caller, whatever the token allows.
fn any_caller(parts: &Parts) -> Result<&Arc<Identity>, ApiError> {
    let caller = parts.extensions.get::<CallerIdentity>();
    caller.map(|caller| &caller.0).ok_or(ApiError::Unauthenticated(NOT_PROVIDED))
}

/// Returns the caller, whose token allows the method: one that is for reading only allows safe methods.
fn caller(parts: &Parts) -> Result<&Arc<Identity>, ApiError> {
    let identity = any_caller(parts)?;
    match identity.token.narrowing.read_only && !parts.method.is_safe() {
        true => Err(ApiError::TooNarrow("the token can only read".to_owned())),
        false => Ok(identity),
    }
}

/// Counts the request against the caller's limit and returns the caller as an actor.
fn counted(app: &App, parts: &Parts, identity: &Arc<Identity>) -> Result<Actor, ApiError> {
    throttle::count(app, parts, identity.token.id)?;
    let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
    Ok(Actor { who: Who::Person(Arc::clone(identity)), origin })
}

fn forbidden() -> ApiError {
    ApiError::Forbidden(Denial::NoRight.to_string())
}

/// Extracts any caller with a good key. The directory decides what the caller may do.
pub struct Authenticated(pub Actor);

impl FromRequestParts<App> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        counted(app, parts, caller(parts)?).map(Self)
    }
}

/// Extracts any caller with a good key, to end that key: every token may end itself, one for reading only too.
pub struct EndsItself(pub Actor);

impl FromRequestParts<App> for EndsItself {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        counted(app, parts, any_caller(parts)?).map(Self)
    }
}

/// Extracts a caller whose token allows to read what belongs to the caller.
pub struct ReadsOwn(pub Actor);

impl FromRequestParts<App> for ReadsOwn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = caller(parts).and_then(|caller| with_scope(caller, Scope::MeRead))?;
        counted(app, parts, identity).map(Self)
    }
}

/// Extracts a caller whose token allows to change what belongs to the caller.
pub struct WritesOwn(pub Actor);

impl FromRequestParts<App> for WritesOwn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = caller(parts).and_then(|caller| with_scope(caller, Scope::MeWrite))?;
        counted(app, parts, identity).map(Self)
    }
}

fn with_scope(identity: &Arc<Identity>, scope: Scope) -> Result<&Arc<Identity>, ApiError> {
    if identity.has(scope) { Ok(identity) } else { Err(lacks(scope)) }
}

/// The error of a token that lacks a scope.
pub(super) fn lacks(scope: Scope) -> ApiError {
    ApiError::TooNarrow(format!("the token lacks the scope {}", scope_name(scope)))
}

/// Whether the permission is held. A token that lacks its scope is refused because of that, whatever its owner holds.
fn check_permission<A: NeedsPermission>(identity: &Identity) -> Result<(), ApiError> {
    match holds_permission::<A>(identity) {
        true => Ok(()),
        false if !identity.has(Scope::Permission(A::CODE)) => Err(lacks(Scope::Permission(A::CODE))),
        false => Err(forbidden()),
    }
}

/// Extracts a caller who holds the permission that the action `A` needs, before the body is read. The directory decides
/// whether that is enough for the object.
pub struct Require<A> {
    /// The caller.
    pub actor: Actor,
    action: PhantomData<A>,
}

impl<A: NeedsPermission> FromRequestParts<App> for Require<A> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = caller(parts)?;
        check_permission::<A>(identity)?;
        Ok(Self { actor: counted(app, parts, identity)?, action: PhantomData })
    }
}

/// Extracts a caller who holds the permissions that both actions need.
pub struct RequireBoth<A, B> {
    /// The caller.
    pub actor: Actor,
    actions: PhantomData<(A, B)>,
}

impl<A: NeedsPermission, B: NeedsPermission> FromRequestParts<App> for RequireBoth<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = caller(parts)?;
        check_permission::<A>(identity)?;
        check_permission::<B>(identity)?;
        Ok(Self { actor: counted(app, parts, identity)?, actions: PhantomData })
    }
}

/// Extracts a caller who may introspect tokens. The standard demands POST, but it is reading.
pub struct Introspects(pub Actor);

impl FromRequestParts<App> for Introspects {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = any_caller(parts)?;
        check_permission::<Introspect>(identity)?;
        counted(app, parts, identity).map(Self)
    }
}

/// Extracts a caller who may create, rename and remove permissions.
pub struct MayChangePermissions(pub Actor);

impl FromRequestParts<App> for MayChangePermissions {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = caller(parts)?;
        let actor = Actor { who: Who::Person(Arc::clone(identity)), origin: Origin::default() };
        authorize(&actor, Action::ChangePermissions)
            .map_err(|denial| ApiError::Forbidden(denial.to_string()))?;
        counted(app, parts, identity).map(Self)
    }
}

/// Extracts a caller who may enter the back office: staff or an admin.
pub struct Staff(pub Arc<Identity>);

impl FromRequestParts<App> for Staff {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = caller(parts)?;
        if !identity.user.is_staff && !identity.user.is_admin {
            return Err(forbidden());
        }
        throttle::count(app, parts, identity.token.id)?;
        Ok(Self(Arc::clone(identity)))
    }
}

/// Extracts a caller who may read their own record.
pub struct ReadsMe(pub Arc<Identity>);

impl FromRequestParts<App> for ReadsMe {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = caller(parts)?;
        if !may_read_self(identity) {
            return Err(if identity.has(Scope::MeRead) { forbidden() } else { lacks(Scope::MeRead) });
        }
        throttle::count(app, parts, identity.token.id)?;
        Ok(Self(Arc::clone(identity)))
    }
}

#[cfg(test)]
mod tests;
