//! `/api/users/me`: the caller's own record.

use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use super::view::{Detail, FieldErrors, Me};
use crate::directory::model::{Faults, Rule};
use crate::http::caller::Staff;
use crate::http::error::{Failure, answer};
use crate::http::negotiate::parameter;
use crate::http::site::Site;

/// Retrieve Me
///
/// Retrieve information about the currently authenticated user.
#[utoipa::path(
    get,
    path = "/api/users/me",
    operation_id = "users_me_retrieve",
    tag = "users",
    security(("token" = [])),
    params(
        ("fields" = Option<String>, Query, description = "Only these fields, by name, with commas between", example = "id,groups"),
        ("format" = Option<String>, Query, description = "`json`, the only format there is", example = "json"),
    ),
    responses(
        (status = 200, description = "User information retrieved successfully", body = Me,
            headers(("X-Token-Expires-At" = String, description = "When the token ends (RFC 3339); absent when it does not"))),
        (status = 400, description = "Bad request: invalid parameters", body = FieldErrors),
        (status = 401, description = "Unauthorized: authentication required", body = Detail,
            headers(("WWW-Authenticate" = String, description = "`Token`"))),
        (status = 403, description = "Forbidden: insufficient permissions", body = Detail),
        (status = 404, description = "An unknown `format`", body = Detail),
        (status = 406, description = "JSON does not satisfy the Accept header", body = Detail),
        (status = 500, description = "Internal server error", body = Detail),
        (status = 503, description = "The database cannot be asked; try again after `Retry-After` seconds", body = Detail,
            headers(("Retry-After" = String, description = "Seconds"))),
    ),
)]
pub(super) async fn retrieve(
    Staff(identity): Staff,
    Extension(site): Extension<Site>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let me = Me::new(&identity.user, &site);
    match wanted(query.as_deref().unwrap_or_default())? {
        None => Ok(answer(StatusCode::OK, &me)),
        Some(fields) => Ok(answer(StatusCode::OK, &narrowed(&me, &fields)?)),
    }
}

/// The names in `?fields=`; `None` when all are wanted. A name that is not a field's is refused.
fn wanted(query: &str) -> Result<Option<Vec<String>>, Failure> {
    let Some(list) = parameter(query, "fields").filter(|list| !list.is_empty()) else { return Ok(None) };
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    let mut faults = Faults::default();
    for unknown in names.iter().filter(|name| !Me::FIELDS.contains(&name.as_str())) {
        faults.add("fields", &Rule::Choice(unknown.clone()));
    }
    faults.none().map(|()| Some(names)).map_err(Failure::Invalid)
}

/// The object with these fields alone, in its own order.
fn narrowed(me: &Me, fields: &[String]) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(me).map_err(|error| Failure::Internal(error.to_string()))?;
    if let Value::Object(object) = &mut value {
        object.retain(|name, _| fields.contains(name));
    }
    Ok(value)
}
