//! The list of all API routes, and the OpenAPI document that is made of them.

mod answers;
mod audit;
mod auth;
mod bulk;
mod callers;
mod document;
mod field_selection;
mod fields;
mod groups;
mod list_parameters;
mod list_request;
mod me;
mod password;
mod permissions;
mod recycle_bin;
mod tokens;
mod users;
pub mod view;

use axum::Router;
use axum::routing::post;
use serde_json::Value;
use utoipa::PartialSchema;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::callers::with_callers;
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
    let router = operations! {
        me::retrieve, me::update;
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
        tokens::list, tokens::issue;
        tokens::update, tokens::revoke;
        tokens::rotate;
        tokens::sign_out;
        groups::list, groups::create;
        groups::retrieve, groups::update, groups::replace, groups::destroy;
        groups::add_members, groups::remove_members;
        permissions::list;
        audit::list;
        audit::export;
        auth::sign_in;
        auth::sign_out;
    };
    router
        .route("/api/users/auth/otp/signin", post(auth::not_yet))
        .route("/api/users/auth/otp/verify", post(auth::not_yet))
}

/// The API's router, with the pipeline around it.
pub(super) fn router(app: &App) -> Router<App> {
    let (router, _) = routes().split_for_parts();
    pipeline::wrap(app, router)
}

/// Every documented route.
pub fn resources() -> Resources {
    let document = routes().split_for_parts().1;
    document.paths.paths.iter().map(|(path, item)| (path.clone(), Resource::of(item))).collect()
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
    // Schemas that only the shared answers refer to are not collected automatically.
    components.schemas.insert("Problem".to_owned(), <view::Problem as PartialSchema>::schema());
    components.schemas.insert("ItemErrors".to_owned(), <view::ItemErrors as PartialSchema>::schema());
    components.add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(token)));
    document
}
