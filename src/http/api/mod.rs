//! The list of all API routes, and the OpenAPI document that is made of them.

mod all_tokens;
mod answers;
mod audit;
mod auth;
mod avatars;
mod bodies;
mod bulk;
mod callers;
mod codes;
mod deleted_groups;
mod document;
mod field_selection;
mod fields;
mod forms;
pub(super) mod forward_auth;
mod groups;
mod holders;
mod initials;
mod introspect;
mod invitations;
mod leaked;
mod list_parameters;
mod list_request;
mod me;
mod password;
mod password_links;
mod permissions;
mod recycle_bin;
pub mod samples;
mod tokens;
mod users;
pub mod view;

use axum::Router;
use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::{OpenApi as _, PartialSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::callers::with_callers;
use self::forward_auth::ForwardAuthDocument;
pub(super) use self::me::ME;
use super::app::App;
use super::pipeline;
use super::resource::{Resource, Resources};

/// Makes a router of handlers, each with its operation in the document; handlers of one path are on one line.
macro_rules! operations {
    ($($($handler:path),+;)+) => {{
        let router = OpenApiRouter::with_openapi(head());
        $($(let router = router.routes(with_callers(routes!($handler), $handler));)+)+
        router
    }};
}

/// The routes. The path is written once, on the handler, for the router and the document.
///
/// An operation whose document names no `security` needs no token, and its body may have at most
/// [`OPEN_BODY_BYTES`](super::body::OPEN_BODY_BYTES). The same holds for a route that is not in the document.
fn routes() -> OpenApiRouter<App> {
    permanent_routes().merge(code_routes())
}

/// The routes of signing in with a one-time code.
fn code_routes() -> OpenApiRouter<App> {
    operations! {
        codes::ask;
        codes::verify;
    }
}

/// The routes that every server has.
fn permanent_routes() -> OpenApiRouter<App> {
    operations! {
        me::retrieve, me::update;
        avatars::retrieve_own;
        password::change;
        tokens::list_own, tokens::issue_own;
        tokens::update_own, tokens::revoke_own;
        tokens::rotate_own;
        tokens::sign_out_own;
        users::list, users::create;
        bulk::create, bulk::update, bulk::destroy;
        recycle_bin::list;
        recycle_bin::purge;
        recycle_bin::restore;
        users::retrieve, users::update, users::replace, users::destroy;
        avatars::retrieve;
        tokens::list, tokens::issue;
        tokens::update, tokens::revoke;
        tokens::rotate;
        tokens::sign_out;
        users::failed_attempts;
        users::unlock;
        invitations::retrieve, invitations::send, invitations::revoke;
        all_tokens::list;
        all_tokens::find;
        all_tokens::retrieve, all_tokens::update, all_tokens::revoke;
        all_tokens::rotate;
        groups::list, groups::create;
        deleted_groups::list;
        deleted_groups::purge;
        deleted_groups::restore;
        groups::retrieve, groups::update, groups::replace, groups::destroy;
        groups::add_members, groups::remove_members;
        permissions::list, permissions::create;
        permissions::retrieve, permissions::update, permissions::destroy;
        holders::users;
        holders::groups;
        audit::list;
        audit::export;
        audit::verify;
        auth::sign_in;
        password_links::forgot;
        password_links::reset;
        auth::sign_out;
        introspect::introspect;
        leaked::report;
    }
}

/// The API's router, with the pipeline around it.
pub(super) fn router(app: &App) -> Router<App> {
    let has_codes = app.directory().code_settings().is_some();
    let (router, _) = if has_codes { routes() } else { permanent_routes() }.split_for_parts();
    pipeline::wrap(app, router)
}

/// Every documented route of the router.
pub fn resources() -> Resources {
    let document = routes().split_for_parts().1;
    let routed = document.paths.paths.iter().filter(|(path, _)| path.as_str() != super::forward_auth::ROUTE);
    routed.map(|(path, item)| (path.clone(), Resource::of(item))).collect()
}

/// The OpenAPI document of all routes.
pub fn document() -> Value {
    document::complete(&routes().split_for_parts().1)
}

/// The groups of operations, in the order of the page.
const TAGS: [(&str, &str); 6] = [
    (
        "auth",
        "Signing in with a password or a code, signing out, whose a key is, keys that leaked, and authenticating for a proxy.",
    ),
    ("users", "The caller's own record, the records of all users, and deleted users."),
    ("tokens", "The caller's own tokens, and those of other users."),
    ("groups", "Groups, their permissions and their members, and deleted groups."),
    ("permissions", "What staff can be allowed to do."),
    ("audit", "Who did what, and when."),
];
const ABOUT: &str = "Which user does a token belong to, and what may that user do?\n\n\
    To try the calls, select *Authorize* and type the key of a token. Then open a call, select *Try it out* and \
    *Execute*. The values that are filled in work in `wardroom demo`. Ids above 1000000000 exist only there.\n\n\
    Every path works with and without a slash at its end.";
const AUTHORIZE: &str = "Type the key of a token. `Token <key>`, as in the header `Authorization`, works as well.\n\n\
    In `wardroom demo`, take the key of Ada, the admin; the demo prints it. On another server, \
    `wardroom token issue USER --name NAME` prints a new key.\n\n\
    The key stays in this tab of the browser until you log out here or close the tab.";

const BEARER: &str = "The same key as `Bearer`. Introspection and forward authentication read it, and with the setting \
    `token_keywords` every operation.";
const BASIC: &str = "The same key as the password of `Basic`, with any user name; forward authentication also reads it as the user \
    name. Only introspection and forward authentication read it.";

fn head() -> OpenApi {
    let mut document = ForwardAuthDocument::openapi();
    document.info.title = "Wardroom".into();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    document.info.description = Some(ABOUT.into());
    let tags = TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    document.tags = Some(tags.into());
    let token = ApiKeyValue::with_description("Authorization", AUTHORIZE);
    let components = document.components.get_or_insert_default();
    // Schemas that only the shared answers refer to are not collected automatically.
    components.schemas.insert("Problem".to_owned(), <view::Problem as PartialSchema>::schema());
    components.schemas.insert("ItemErrors".to_owned(), <view::ItemErrors as PartialSchema>::schema());
    components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(token)));
    for (name, scheme, about) in
        [("token_bearer", HttpAuthScheme::Bearer, BEARER), ("token_basic", HttpAuthScheme::Basic, BASIC)]
    {
        let scheme = HttpBuilder::new().scheme(scheme).description(Some(about)).build();
        components.add_security_scheme(name, SecurityScheme::Http(scheme));
    }
    document
}
