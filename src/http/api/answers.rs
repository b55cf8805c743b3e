//! The error answers that many operations share, for the OpenAPI document.

use utoipa::IntoResponses;

use super::view::{Detail, FieldErrors, ItemErrors};

/// The errors of any operation that needs a token.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Refusals {
    /// Unauthorized: authentication is required, or the token is not valid.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "`Token`, or the first word of the setting `token_keywords`")))]
    Unauthorized(Detail),
    /// Forbidden: insufficient permissions.
    #[response(status = 403)]
    Forbidden(Detail),
    /// No such object, or an unknown `format`.
    #[response(status = 404)]
    NotFound(Detail),
    /// JSON does not satisfy the Accept header.
    #[response(status = 406)]
    NotAcceptable(Detail),
    /// More requests than the token's limit allows, or too many at the same time; try again after `Retry-After`
    /// seconds.
    #[response(status = 429, headers(
        ("Retry-After" = String, description = "Seconds"),
        ("RateLimit" = String, description = "The rest of the limit, and the seconds until it is reset"),
        ("RateLimit-Policy" = String, description = "The limit")
    ))]
    TooMany(Detail),
    /// Internal server error.
    #[response(status = 500)]
    Internal(Detail),
    /// The database is unavailable, or no memory is left for bodies; try again after `Retry-After` seconds.
    #[response(status = 503, headers(("Retry-After" = String, description = "Seconds")))]
    Unavailable(Detail),
}

/// The errors of an expensive operation that needs no token.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Throttled {
    /// JSON does not satisfy the Accept header.
    #[response(status = 406)]
    NotAcceptable(Detail),
    /// Too many attempts of this account or client, or too many at the same time; try again after `Retry-After`
    /// seconds.
    #[response(status = 429, headers(("Retry-After" = String, description = "Seconds")))]
    TooMany(Detail),
    /// Internal server error.
    #[response(status = 500)]
    Internal(Detail),
    /// The database is unavailable, or no memory is left for bodies; try again after `Retry-After` seconds.
    #[response(status = 503, headers(("Retry-After" = String, description = "Seconds")))]
    Unavailable(Detail),
}

/// Further errors of any operation that reads a body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum BodyRefusals {
    /// Input that is not valid, by field; or a body that cannot be read.
    #[response(status = 400)]
    Invalid(FieldErrors),
    /// The body is too large: at most 1 MiB unless the server is configured otherwise, 16 KiB where no token is needed
    /// (128 KiB for leaked keys). Where a form may have an avatar, its file may have 5 MiB in addition.
    #[response(status = 413)]
    TooLarge(Detail),
    /// The body must be JSON, a form or a multipart form.
    #[response(status = 415)]
    UnsupportedMediaType(Detail),
}

/// Further errors of an operation that reads a form.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum FormRefusals {
    /// Input that is not valid, by field; or a body that cannot be read.
    #[response(status = 400)]
    Invalid(FieldErrors),
    /// The body is too large: at most 1 MiB unless the server is configured otherwise.
    #[response(status = 413)]
    TooLarge(Detail),
    /// The body must be a form: `application/x-www-form-urlencoded`.
    #[response(status = 415)]
    UnsupportedMediaType(Detail),
}

/// Further errors of an operation on many objects.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum BulkRefusals {
    /// Input that is not valid, by item and field; or a body that cannot be read. Nothing was changed.
    #[response(status = 400)]
    Invalid(ItemErrors),
    /// The body is too large: at most 1 MiB unless the server is configured otherwise, 16 KiB where no token is needed.
    #[response(status = 413)]
    TooLarge(Detail),
    /// The body must be JSON, a form or a multipart form.
    #[response(status = 415)]
    UnsupportedMediaType(Detail),
}

/// Further errors of an operation that a rule may refuse.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum RuleRefusals {
    /// The user cannot be invited now; the text says why, by field.
    #[response(status = 400)]
    Refused(FieldErrors),
}

/// Further errors of an operation that restores an object.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Conflicts {
    /// Another object has a unique value of it now, such as the name.
    #[response(status = 400)]
    Taken(FieldErrors),
}

/// Further errors of an operation that removes a permission.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum BuiltIn {
    /// The permission is built in.
    #[response(status = 400)]
    Refused(FieldErrors),
}

/// Further errors of an operation that reads `If-Match`.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Preconditions {
    /// The object has changed since it was read: `If-Match` does not name its current tag.
    #[response(status = 412)]
    Stale(Detail),
}

/// Further errors of an operation without a body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum HeaderRefusals {
    /// A header cannot be read.
    #[response(status = 400)]
    Malformed(Detail),
}

/// Further errors of a list.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum ListRefusals {
    /// An unknown parameter, one given twice, or a value that is not allowed; by parameter.
    #[response(status = 400)]
    Invalid(FieldErrors),
}
