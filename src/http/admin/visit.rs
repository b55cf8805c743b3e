//! What a handler of the site gets of a request: [`Visit`] with a person who may enter, [`Stranger`] without one.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::look::Look;
use super::responses::see_other;
use super::same_origin;
use super::session::Session;
use crate::directory::access::{NeedsPermission, Who, holds_permission, may_enter_site, may_now};
use crate::directory::model::Timestamp;
use crate::directory::{Actor, Denial, Identity, Origin};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::site::Site;
use crate::http::text::query_pairs;

/// A request to the site, with or without a session.
pub(super) struct Stranger {
    /// Where it arrived.
    pub(super) site: Site,
    /// How pages look.
    pub(super) look: Look,
    /// Where it came from.
    pub(super) origin: Origin,
    /// The parameters of its query, decoded.
    pub(super) query: Vec<(String, String)>,
    /// Its path and query.
    pub(super) path: String,
    /// The person whose session it belongs to, who may not be allowed to enter.
    pub(super) session: Session,
    /// Whether a page of the site has led to it.
    pub(super) follows_page: bool,
    /// When it is answered.
    pub(super) now: Timestamp,
}

impl Stranger {
    /// Returns a parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter that says what was done just before. A link from elsewhere says nothing.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        self.parameter(name).filter(|_| self.follows_page)
    }

    /// Returns the person of the session as an actor.
    pub(super) fn actor(&self) -> Option<Actor> {
        let identity = self.session.identity.clone()?;
        Some(Actor { who: Who::Person(identity), origin: self.origin.clone() })
    }
}

impl FromRequestParts<App> for Stranger {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let missing = || ApiError::Internal("a request to the site without its context".to_owned());
        let site = parts.extensions.get::<Site>().cloned().ok_or_else(missing)?;
        Ok(Self {
            follows_page: same_origin::leads_here(&parts.headers, site.origin()),
            site,
            look: Look::of(&parts.headers),
            origin: parts.extensions.get::<Origin>().cloned().unwrap_or_default(),
            query: query_pairs(parts.uri.query().unwrap_or_default()).map_err(ApiError::Invalid)?,
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            session: parts.extensions.get::<Session>().cloned().ok_or_else(missing)?,
            now: app.directory().clock().now(),
        })
    }
}

/// A request of a person who may enter the site.
pub(super) struct Visit {
    /// The person, for use cases.
    pub(super) actor: Actor,
    /// The person with their rights.
    pub(super) identity: Arc<Identity>,
    /// The request.
    pub(super) request: Stranger,
}

impl FromRequestParts<App> for Visit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let request = Stranger::from_request_parts(parts, app).await?;
        let identity = request.session.identity.clone();
        let identity = identity.ok_or(ApiError::Unauthenticated("Sign in first."))?;
        check_right(may_enter_site(&identity))?;
        let actor = Actor { who: Who::Person(Arc::clone(&identity)), origin: request.origin.clone() };
        Ok(Self { actor, identity, request })
    }
}

/// A request of a person who may enter the site, and holds the right to an action. It is refused before anything is read, so
/// the answer does not say what exists. The use case decides again, with all that the action concerns.
pub(super) struct VisitWith<A> {
    visit: Visit,
    action: PhantomData<A>,
}

impl<A: NeedsPermission> FromRequestParts<App> for VisitWith<A> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let visit = Visit::from_request_parts(parts, app).await?;
        check_right(holds_permission::<A>(&visit.identity))?;
        Ok(Self { visit, action: PhantomData })
    }
}

impl<A> Deref for VisitWith<A> {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

/// A request of an admin, refused as [`VisitWith`] is.
pub(super) struct VisitOfAdmin(Visit);

impl FromRequestParts<App> for VisitOfAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let visit = Visit::from_request_parts(parts, app).await?;
        visit.check_admin()?;
        Ok(Self(visit))
    }
}

impl Deref for VisitOfAdmin {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl Visit {
    /// Returns an error unless the person is an admin.
    pub(super) fn check_admin(&self) -> Result<(), ApiError> {
        match self.identity.user.is_admin {
            true => Ok(()),
            false => Err(ApiError::Forbidden(Denial::AdminsOnly.to_string())),
        }
    }

    /// Leads to the page that asks for a new proof if the last one is too old for what is dangerous. Afterwards the browser
    /// returns to this page. Call it before a form is shown; the use case decides again.
    pub(super) fn proof_first(&self) -> Option<Response> {
        may_now(&self.actor, self.request.now).err().map(|_| ask_for_proof(&self.request.path))
    }
}

/// Refuses a person without a right that a page needs.
pub(super) fn check_right(has_right: bool) -> Result<(), ApiError> {
    match has_right {
        true => Ok(()),
        false => Err(ApiError::Forbidden(Denial::NoRight.to_string())),
    }
}

/// Leads to the page that asks who one is, and from there to a path of the site.
pub(super) fn ask_for_proof(next: &str) -> Response {
    see_other(&format!("/admin/confirm?next={}", escaped(next)))
}

/// What means nothing in a query stays readable.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Escapes a text for a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}
