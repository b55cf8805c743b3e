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
//! 3. One line in [`router`], and one in `places` if the rail leads to it.
//! 4. A form is a POST to its own path: read it with `FormBody` and `Fields`; on errors answer the same page with status 400,
//!    what was typed and `form::Problems`; on success answer `see_other` to a page with `?done=NOTE` (`notes`).
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
mod confirm;
mod csv;
mod errors;
mod event_words;
mod events;
mod fields;
mod filter_inputs;
mod filters;
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
mod overview;
mod page;
mod permission;
mod permission_edit;
mod permissions;
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
mod user_password;
mod user_rights;
mod user_values;
mod users;
mod visit;
mod words;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::request::Parts;
use http::{Method, StatusCode};

pub(super) use self::errors::{ErrorPage, is_path};
use self::responses::{see_other, with_cookie, with_headers};
pub(super) use self::root::answer as root;
use self::session::{Session, SessionCookie};
use self::visit::escaped;
use super::app::App;
use super::body::BodyLimit;
use super::error::ApiError;
use super::pipeline::{with_bearer, with_reason};
use super::resource::RouteName;
use super::site::Site;
use super::throttle::{self, CountedRequest};
use crate::directory::Origin;

/// The routes of the site; none if it is switched off.
pub(super) fn router(app: &App) -> Router<App> {
    if !app.settings().admin_site {
        return Router::new();
    }
    let pages = Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/admin/sign-out", post(sign_in::sign_out))
        .route("/admin/confirm", get(confirm::show).post(confirm::submit))
        .route("/admin/set-up", get(set_up::show).post(set_up::submit))
        .route("/admin/look", post(look_form::change))
        .route("/admin/users", get(users::list))
        .route("/admin/users.csv", get(csv::users))
        .route("/admin/users/new", get(user_form::show_new).post(user_form::create))
        .route("/admin/users/bulk", post(bulk::submit))
        .route("/admin/users/restore", post(bulk::undo))
        .route("/admin/users/{id}", get(user::show))
        .route("/admin/users/{id}/sign-out", get(user::ask_sign_out).post(user::sign_out))
        .route("/admin/users/{id}/admin", get(make_admin::ask).post(make_admin::submit))
        .route("/admin/users/{id}/edit", get(user_form::show).post(user_form::save))
        .route("/admin/users/{id}/rights", get(user_rights::show).post(user_rights::save))
        .route("/admin/users/{id}/groups", get(user_rights::show_groups).post(user_rights::save_groups))
        .route("/admin/users/{id}/password", get(user_password::show).post(user_password::save))
        .route("/admin/users/{id}/tokens/new", get(token_form::show_new).post(token_form::issue))
        .route("/admin/users/{id}/{action}", get(user_action::ask).post(user_action::submit))
        .route("/admin/groups.csv", get(csv::groups))
        .route("/admin/tokens", get(tokens::list))
        .route("/admin/tokens.csv", get(csv::tokens))
        .route("/admin/tokens/find", get(tokens::show_find).post(tokens::find))
        .route("/admin/tokens/revoke", post(token_revoke::submit))
        .route("/admin/tokens/{id}", get(token_page::show))
        .route("/admin/tokens/{id}/edit", get(token_form::show_edit).post(token_form::save))
        .route("/admin/tokens/{id}/rotate", get(token_page::ask_rotate).post(token_page::rotate))
        .route("/admin/tokens/{id}/revoke", get(token_revoke::ask))
        .route("/admin/sessions", get(tokens::sessions))
        .route("/admin/settings", get(settings::show))
        .route("/admin/account", get(account::show))
        .route("/admin/account/profile", post(account::change_profile))
        .route("/admin/account/password", post(account::change_password))
        .route("/admin/account/sign-out-others", post(account::sign_out_others))
        .route("/admin/account/sessions/{id}/end", post(account::end_session))
        .route("/admin/groups", get(groups::list))
        .route("/admin/groups/new", get(group_edit::ask_new).post(group_edit::create))
        .route("/admin/groups/{id}", get(group::show))
        .route("/admin/groups/{id}/edit", get(group_edit::ask).post(group_edit::submit))
        .route("/admin/groups/{id}/delete", get(group_delete::ask).post(group_delete::submit))
        .route("/admin/groups/{id}/members/add", get(group_members::ask_add).post(group_members::add))
        .route(
            "/admin/groups/{id}/members/remove",
            get(group_members::ask_remove).post(group_members::remove),
        )
        .route("/admin/permissions", get(permissions::list))
        .route("/admin/permissions/new", get(permission_edit::ask_new).post(permission_edit::create))
        .route("/admin/permissions/{id}", get(permission::show))
        .route("/admin/permissions/{id}/edit", get(permission_edit::ask_rename).post(permission_edit::rename))
        .route(
            "/admin/permissions/{id}/remove",
            get(permission_edit::ask_remove).post(permission_edit::remove),
        )
        .route("/admin/audit", get(audit::list))
        .route("/admin/audit/verify", get(audit::ask_verify).post(audit::verify))
        .route("/admin/bin", get(bin::users))
        .route("/admin/bin/groups", get(bin::groups))
        .route("/admin/bin/users/{id}/restore", post(bin_actions::restore_user))
        .route("/admin/bin/users/{id}/purge", get(bin_actions::ask_purge_user).post(bin_actions::purge_user))
        .route("/admin/bin/groups/{id}/restore", post(bin_actions::restore_group))
        .route(
            "/admin/bin/groups/{id}/purge",
            get(bin_actions::ask_purge_group).post(bin_actions::purge_group),
        )
        .route("/admin/{*rest}", any(async || ApiError::NotFound))
        .method_not_allowed_fallback(async |method: Method| ApiError::MethodNotAllowed(method))
        .layer(from_fn_with_state(app.clone(), around));
    pages.route(assets::ROUTE, get(assets::answer))
}

/// What happens around every page.
async fn around(State(app): State<App>, route: MatchedPath, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let counted = CountedRequest::default();
    parts.extensions.insert(counted.clone());
    let (session, refused) = match prepared(&app, &mut parts).await {
        Ok(session) => (session, None),
        Err((session, error)) => (session, Some(error)),
    };
    // After a form, the page of its path may not exist.
    let path = match parts.method {
        Method::GET => parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        _ => safe_path::HOME.to_owned(),
    };
    let site = parts.extensions.get::<Site>().cloned();
    let response = match refused {
        Some(error) => error.into_response(),
        None => next.run(Request::from_parts(parts, body)).await,
    };
    let mut response = with_reason(response, counted.reason());
    if response.status() == StatusCode::UNAUTHORIZED {
        response = see_other(&format!("/admin/sign-in?next={}", escaped(&path)));
        let cookie = site.and_then(|site| SessionCookie::of(&app, &site)).filter(|_| session.has_ended);
        if let Some(cookie) = cookie {
            response = with_cookie(response, cookie.remove());
        }
    }
    let bearer = session.identity.as_ref().map(|identity| identity.bearer());
    let mut response = with_headers(with_bearer(response, bearer), &app);
    counted.write_headers(response.headers_mut());
    response.extensions_mut().insert(RouteName(route.as_str().to_owned()));
    response
}

/// Finds the session, and checks what does not depend on the page: where a form comes from, and how many requests there are.
async fn prepared(app: &App, parts: &mut Parts) -> Result<Session, (Session, ApiError)> {
    let none = Session::default;
    let site = parts.extensions.get::<Site>().cloned();
    let site = site.ok_or_else(|| (none(), ApiError::Internal("a request without a site".to_owned())))?;
    let session = session::find(app, parts, &site).await.map_err(|error| (none(), error))?;
    if !parts.method.is_safe() && !same_origin::is_proven(&parts.headers, site.origin()) {
        // What the session of a person was used for is recorded with that person, by the front.
        if session.identity.is_none() {
            let origin = parts.extensions.get::<Origin>().cloned().unwrap_or_default();
            let request = format!("{} {}", parts.method, parts.uri.path());
            app.directory().note_refused_stranger(&origin, request, same_origin::REFUSED).await;
        }
        return Err((session, ApiError::Forbidden(same_origin::REFUSED.to_owned())));
    }
    let counted = match &session.identity {
        Some(identity) => throttle::count(app, parts, identity.token.id),
        None => throttle::count_client(app, parts),
    };
    if let Err(error) = counted {
        return Err((session, error));
    }
    if session.identity.is_some() {
        parts.extensions.insert(BodyLimit { texts: app.settings().max_body_bytes, file: None });
    }
    parts.extensions.insert(session.clone());
    Ok(session)
}
