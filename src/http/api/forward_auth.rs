//! `/api/auth/forward/{rule}`: whether a client may pass, for the proxy in front of an application.

use axum::response::Response;
use http::HeaderMap;
use utoipa::OpenApi;

use super::view::Detail;
use crate::http::app::App;
use crate::http::forward_auth::{self, ClientAddress};

/// The operation for the document. The route is not the router's: it has every method, and anything may follow the rule.
#[derive(OpenApi)]
#[openapi(paths(answer))]
pub(super) struct ForwardAuthDocument;

/// Authenticate for a Proxy
///
/// Decides whether a client may pass, for the proxy in front of an application (nginx, Caddy, Traefik, Envoy, `HAProxy`). The
/// proxy sends the client's header `Authorization` and passes the identity headers of the response on to the application.
///
/// The rule has one or more conditions, joined by commas, all of which must hold: `active` (every user), `staff` (staff and
/// admins), `admin`, `group=3` (members of the group with this id), `permission=1222` (holders of this permission, and admins).
///
/// The path has every method, `OPTIONS` included, and anything may follow the rule. The query and the body are not read. In
/// addition to `Token`, the schemes `Bearer` and `Basic` are read, the latter with the key as password or as user name.
///
/// A token with scopes passes only rules that name permissions, all of which are among its scopes, and it needs `me_read`; with
/// scopes, an admin is staff. A token that can only read is refused, because Wardroom does not see what the application does.
///
/// Values of headers are percent-encoded outside visible ASCII. The names are those of the setting `forward_auth_headers`. A
/// response with status 200 always has all of them.
#[utoipa::path(
    get,
    path = "/api/auth/forward/{rule}",
    operation_id = "auth_forward",
    tag = "auth",
    security(("token" = []), ("token_bearer" = []), ("token_basic" = [])),
    params(("rule" = String, Path, description = "Conditions, joined by commas", example = "staff")),
    responses(
        (status = 200, description = "The client may pass. The body is empty.", headers(
            ("Remote-User" = String, description = "The username"),
            ("Remote-User-Id" = String, description = "The user's id"),
            ("Remote-Groups" = String, description = "The ids of the user's groups, ascending, separated by commas"),
            ("Remote-Group-Names" = String, description = "Their names in the same order, separated by commas; a comma in a name is `%2C`"),
            ("Remote-Email" = String, description = "The email address; empty without one"),
            ("Remote-Name" = String, description = "The full name; empty without one"),
            ("Remote-Staff" = String, description = "`true` for staff, otherwise `false`; `false` with a token that has scopes"),
            ("Remote-Admin" = String, description = "`true` for admins, otherwise `false`; `false` with a token that has scopes"),
            ("Remote-Scopes" = String, description = "The scopes of the token, separated by commas; `*` for a token without scopes, which may do all that its owner may"),
            ("X-Token-Expires-At" = String, description = "When the token expires (RFC 3339); absent if it does not")
        )),
        (status = 401, description = "Unauthorized: authentication is required, or the token is not valid.", body = Detail, headers(
            ("WWW-Authenticate" = String, description = "`Token`, or the first word of the setting `token_keywords`")
        )),
        (status = 403, description = "The user does not meet the rule, or the token is too narrow for it.", body = Detail),
        (status = 404, description = "There is no such rule.", body = Detail),
        (status = 429, description = "More requests than a limit allows. Only with the setting `forward_auth_rate_limits`.", body = Detail, headers(
            ("Retry-After" = String, description = "Seconds"),
            ("RateLimit" = String, description = "The rest of the limit, and the seconds until it is reset"),
            ("RateLimit-Policy" = String, description = "The limit")
        )),
        (status = 500, description = "Internal server error.", body = Detail),
        (status = 503, description = "The database is unavailable; try again after `Retry-After` seconds.", body = Detail, headers(
            ("Retry-After" = String, description = "Seconds")
        )),
    ),
)]
pub(in crate::http) async fn answer(
    app: &App,
    rule: &str,
    headers: &HeaderMap,
    client: ClientAddress,
) -> Response {
    forward_auth::answer(app, rule, headers, client).await
}
