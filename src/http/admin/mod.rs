//! `/admin`: the site for staff and admins.
//!
//! The site owns no rule: every decision is `access`'s, every change a use case of the directory, with the person as actor. Around
//! every handler is [`around`]: it finds the session, refuses forms of other sites, counts the request, and adds the headers
//! of pages. An [`ApiError`] becomes a page in `errors`, with the request's id. Every page works without the script.
//!
//! How to add a page:
//!
//! 1. A file for its noun, with a handler that takes a [`Visit`](visit::Visit) (a person who may enter) and calls one use case
//!    for each thing that it shows, at most six statements in all. A refused right is a 403; an object that the person may not
//!    read is a 404.
//! 2. A struct with `page: SiteFrame` and the values of the page, and its template below `templates/admin`, which extends
//!    `admin/layout.html`. Take markup and classes from a page that exists. Stored text stands in `<bdi>` or has `dir="auto"`.
//!    `|safe`, `style=`, `<style>` and inline scripts are forbidden; a test reads all templates.
//! 3. One line in the routes of its section below [`router`], and one in `places` if the rail leads to it.
//! 4. A form is a POST to its own path: read it with `form::Typed`; on errors answer the same page with status 400,
//!    what was typed and the `form::Problems` of `form::refused`; on success answer `see_other` to a page with `?done=NOTE` (`notes`).
//! 5. What is dangerous begins with [`Visit::proof_first`](visit::Visit::proof_first), and its use case calls
//!    `Change::check_proof_age`.
//! 6. A row in `tests/it/admin_pages.rs`, which renders every page on both databases.

mod account;
mod assets;
mod attention;
mod audit;
mod bin;
mod bin_actions;
mod bulk;
mod charts;
mod chooser;
mod code_sign_in;
mod confirm;
mod csv;
mod csv_rows;
mod errors;
mod event_words;
mod events;
mod fields;
mod filters;
mod forgot;
mod form;
mod group;
mod group_delete;
mod group_edit;
mod group_members;
mod groups;
mod listing;
mod look;
mod look_form;
mod make_admin;
mod notes;
mod objects;
mod overview;
mod page;
mod password_link;
mod permission;
mod permission_edit;
mod permissions;
mod picture;
mod places;
mod responses;
mod root;
mod safe_path;
mod same_origin;
mod session;
mod set_up;
mod settings;
mod sign_in;
mod token_form;
mod token_page;
mod token_revoke;
mod token_shown;
mod token_values;
mod tokens;
mod user;
mod user_action;
mod user_conflict;
mod user_form;
mod user_groups;
mod user_password;
mod user_rights;
mod user_values;
mod users;
mod views;
mod visit;
mod words;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::request::Parts;
use http::{Method, StatusCode};

pub(super) use self::errors::{ErrorPage, is_path, refused_page};
use self::responses::{see_other, with_cookie, with_headers};
pub(super) use self::root::{answer as root, answer_api as api_roots};
use self::session::{Session, SessionCookie};
use self::visit::escaped;
use super::app::App;
use super::body::BodyLimit;
use super::error::ApiError;
use super::pipeline::{with_bearer, with_reason};
use super::request_log::logged_path;
use super::resource::RouteName;
use super::site::Site;
use super::throttle::{self, CountedRequest};
use crate::directory::Origin;

/// The routes of the site; none if it is switched off.
pub(super) fn router(app: &App) -> Router<App> {
    if !app.settings().admin_site {
        return Router::new();
    }
    let has_codes = app.directory().code_settings().is_some();
    let pages = sign_in_routes()
        .merge(if has_codes { code_routes() } else { Router::new() })
        .merge(user_routes())
        .merge(token_routes())
        .merge(account_routes())
        .merge(group_routes())
        .merge(permission_routes())
        .merge(record_routes())
        .merge(csv::routes())
        .route("/admin/{*rest}", any(async || ApiError::NotFound))
        .method_not_allowed_fallback(async |method: Method| ApiError::MethodNotAllowed(method))
        .layer(from_fn_with_state(app.clone(), around));
    pages.route(assets::ROUTE, get(assets::answer))
}

fn sign_in_routes() -> Router<App> {
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/admin/sign-out", post(sign_in::sign_out))
        .route("/admin/confirm", get(confirm::show).post(confirm::submit))
        .route("/admin/set-up", get(set_up::show).post(set_up::submit))
        .route(forgot::FORGOT, get(forgot::show).post(forgot::submit))
        .route("/admin/password/{key}", get(password_link::show).post(password_link::submit))
        .route("/admin/look", post(look_form::change))
        .route("/admin/views", post(views::save))
        .route("/admin/views/remove", post(views::remove))
        .route("/admin/settings", get(settings::show))
}

/// Signing in with a one-time code.
fn code_routes() -> Router<App> {
    Router::new()
        .route("/admin/sign-in/code", get(code_sign_in::show).post(code_sign_in::ask))
        .route("/admin/sign-in/code/check", post(code_sign_in::check))
}

fn user_routes() -> Router<App> {
    Router::new()
        .route("/admin/users", get(users::list))
        .route("/admin/users/new", get(user_form::show_new).post(user_form::create))
        .route("/admin/users/bulk", post(bulk::submit))
        .route("/admin/users/restore", post(bulk::undo))
        .route("/admin/users/{id}", get(user::show))
        .route("/admin/users/{id}/sign-out", get(user::ask_sign_out).post(user::sign_out))
        .route("/admin/users/{id}/admin", get(make_admin::ask).post(make_admin::submit))
        .route("/admin/users/{id}/edit", get(user_form::show).post(user_form::save))
        .route("/admin/users/{id}/rights", get(user_rights::show).post(user_rights::save))
        .route("/admin/users/{id}/groups", get(user_groups::show).post(user_groups::save))
        .route("/admin/users/{id}/groups/remove", get(user_groups::ask_remove))
        .route("/admin/users/{id}/password", get(user_password::show).post(user_password::save))
        .route("/admin/users/{id}/tokens/new", get(token_form::show_new).post(token_form::issue))
        .route(picture::OTHERS, get(picture::show).post(picture::save))
        .route("/admin/users/{id}/{action}", get(user_action::ask).post(user_action::submit))
}

fn token_routes() -> Router<App> {
    Router::new()
        .route("/admin/tokens", get(tokens::list))
        .route("/admin/tokens/find", get(tokens::show_find).post(tokens::find))
        .route("/admin/tokens/revoke", post(token_revoke::submit))
        .route("/admin/tokens/{id}", get(token_page::show))
        .route("/admin/tokens/{id}/edit", get(token_form::show_edit).post(token_form::save))
        .route("/admin/tokens/{id}/rotate", get(token_page::ask_rotate).post(token_page::rotate))
        .route("/admin/tokens/{id}/revoke", get(token_revoke::ask))
        .route("/admin/sessions", get(tokens::sessions))
}

fn account_routes() -> Router<App> {
    Router::new()
        .route("/admin/account", get(account::show))
        .route("/admin/account/profile", post(account::change_profile))
        .route(picture::OWN, get(picture::show_own).post(picture::save_own))
        .route("/admin/account/password", post(account::change_password))
        .route("/admin/account/sign-out-others", post(account::sign_out_others))
        .route("/admin/account/sessions/{id}/end", post(account::end_session))
}

fn group_routes() -> Router<App> {
    use self::group_members::{add, ask_add, ask_remove, remove};
    Router::new()
        .route("/admin/groups", get(groups::list))
        .route("/admin/groups/new", get(group_edit::ask_new).post(group_edit::create))
        .route("/admin/groups/{id}", get(group::show))
        .route("/admin/groups/{id}/edit", get(group_edit::ask).post(group_edit::submit))
        .route("/admin/groups/{id}/delete", get(group_delete::ask).post(group_delete::submit))
        .route("/admin/groups/{id}/members/add", get(ask_add).post(add))
        .route("/admin/groups/{id}/members/remove", get(ask_remove).post(remove))
}

fn permission_routes() -> Router<App> {
    use self::permission_edit::{ask_new, ask_remove, ask_rename, create, remove, rename};
    Router::new()
        .route("/admin/permissions", get(permissions::list))
        .route("/admin/permissions/new", get(ask_new).post(create))
        .route("/admin/permissions/{id}", get(permission::show))
        .route("/admin/permissions/{id}/edit", get(ask_rename).post(rename))
        .route("/admin/permissions/{id}/remove", get(ask_remove).post(remove))
}

/// The audit trail and the recycle bin.
fn record_routes() -> Router<App> {
    use self::bin_actions::{ask_purge_group, ask_purge_user, purge_group, purge_user};
    Router::new()
        .route("/admin/audit", get(audit::list))
        .route("/admin/audit/verify", get(audit::ask_verify).post(audit::verify))
        .route("/admin/bin", get(bin::users))
        .route("/admin/bin/groups", get(bin::groups))
        .route("/admin/bin/users/{id}/restore", post(bin_actions::restore_user))
        .route("/admin/bin/users/{id}/purge", get(ask_purge_user).post(purge_user))
        .route("/admin/bin/groups/{id}/restore", post(bin_actions::restore_group))
        .route("/admin/bin/groups/{id}/purge", get(ask_purge_group).post(purge_group))
}

/// What happens around every page.
async fn around(State(app): State<App>, route: MatchedPath, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let counted = CountedRequest::default();
    parts.extensions.insert(counted.clone());
    let prepared = prepared(&app, &mut parts, route.as_str()).await;
    let (path, site) = (path_after_sign_in(&parts), parts.extensions.get::<Site>().cloned());
    let (session, response) = match prepared {
        Ok(session) => (session, next.run(Request::from_parts(parts, body)).await),
        Err((session, error)) => (session, error.into_response()),
    };
    let mut response = with_reason(response, counted.reason());
    if response.status() == StatusCode::UNAUTHORIZED {
        response = to_sign_in(&app, site.as_ref(), &session, &path);
    }
    let bearer = session.identity.as_ref().map(|identity| identity.bearer());
    let mut response = with_headers(with_bearer(response, bearer), &app);
    counted.write_headers(response.headers_mut());
    response.extensions_mut().insert(RouteName(route.as_str().to_owned()));
    response
}

/// The page that a person who has to sign in first gets afterwards. That of a form may not exist.
fn path_after_sign_in(parts: &Parts) -> String {
    match parts.method {
        Method::GET => parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        _ => safe_path::HOME.to_owned(),
    }
}

/// Leads to the page for signing in, and takes the cookie of a session away that is not valid any more.
fn to_sign_in(app: &App, site: Option<&Site>, session: &Session, path: &str) -> Response {
    let response = see_other(&format!("/admin/sign-in?next={}", escaped(path)));
    let cookie = site.and_then(|site| SessionCookie::of(app, site)).filter(|_| session.has_ended);
    match cookie {
        Some(cookie) => with_cookie(response, cookie.remove()),
        None => response,
    }
}

/// Finds the session, and checks what does not depend on the page: where a form comes from, and how many requests there are.
async fn prepared(app: &App, parts: &mut Parts, route: &str) -> Result<Session, (Session, ApiError)> {
    let none = Session::default;
    let site = parts.extensions.get::<Site>().cloned();
    let site = site.ok_or_else(|| (none(), ApiError::Internal("a request without a site".to_owned())))?;
    let session = session::find(app, parts, &site).await.map_err(|error| (none(), error))?;
    let checked = match check_same_origin(app, parts, &site, &session).await {
        Ok(()) => count(app, parts, &session),
        Err(error) => Err(error),
    };
    if let Err(error) = checked {
        return Err((session, error));
    }
    if session.identity.is_some() {
        let takes_file = [picture::OWN, picture::OTHERS].contains(&route);
        let file = takes_file.then(|| app.media().studio().limits().max_bytes);
        parts.extensions.insert(BodyLimit { texts: app.settings().max_body_bytes, file });
    }
    parts.extensions.insert(session.clone());
    Ok(session)
}

/// Refuses a form that was not sent by a page of the site, and records that.
async fn check_same_origin(app: &App, parts: &Parts, site: &Site, session: &Session) -> Result<(), ApiError> {
    if parts.method.is_safe() || same_origin::is_proven(&parts.headers, site.origin()) {
        return Ok(());
    }
    // What the session of a person was used for is recorded with that person, by the front.
    if session.identity.is_none() {
        let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
        let request = format!("{} {}", parts.method, logged_path(parts.uri.path()));
        app.directory().note_refused_stranger(&origin, request, same_origin::REFUSED).await;
    }
    Err(ApiError::Forbidden(same_origin::REFUSED.to_owned()))
}

/// Counts a request, and refuses it if there are too many.
fn count(app: &App, parts: &Parts, session: &Session) -> Result<(), ApiError> {
    match &session.identity {
        Some(identity) => throttle::count(app, parts, identity.token.id),
        None => throttle::count_client(app, parts),
    }
}
