//! The list of all API routes, and the OpenAPI document that is made of them.

mod answers;
mod audit;
mod auth;
mod bulk;
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

pub(super) use self::me::ME;
use super::app::App;
use super::pipeline;
use super::resource::{Resource, Resources};

/// The routes. The path is written once, on the handler, for the router and the document.
///
/// An operation whose document names no `security` needs no token, and its body may have at most
/// [`OPEN_BODY_BYTES`](super::body::OPEN_BODY_BYTES). The same holds for a route that is not in the document.
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
