//! The answers that many operations share, for the OpenAPI document.

use utoipa::IntoResponses;

use super::view::{Detail, FieldErrors, ItemErrors};

/// What any operation behind a token may answer.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Refusals {
    /// Unauthorized: authentication required, or the token opens nothing.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "`Token`")))]
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
    /// More requests than the token's limit allows, or too many ask for the same; try again after `Retry-After`
    /// seconds.
    #[response(status = 429, headers(
        ("Retry-After" = String, description = "Seconds"),
        ("RateLimit" = String, description = "What is left of the limit, and seconds until it begins anew"),
        ("RateLimit-Policy" = String, description = "The limit")
    ))]
    TooMany(Detail),
    /// Internal server error.
    #[response(status = 500)]
    Internal(Detail),
    /// The database cannot be asked, or there is no memory left for bodies; try again after `Retry-After` seconds.
    #[response(status = 503, headers(("Retry-After" = String, description = "Seconds")))]
    Unavailable(Detail),
}

/// What an operation that costs much may answer, too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Throttled {
    /// JSON does not satisfy the Accept header.
    #[response(status = 406)]
    NotAcceptable(Detail),
    /// Too many attempts of this account or client, or too many ask at once; try again after `Retry-After`
    /// seconds.
    #[response(status = 429, headers(("Retry-After" = String, description = "Seconds")))]
    TooMany(Detail),
    /// Internal server error.
    #[response(status = 500)]
    Internal(Detail),
    /// The database cannot be asked, or there is no memory left for bodies; try again after `Retry-After` seconds.
    #[response(status = 503, headers(("Retry-After" = String, description = "Seconds")))]
    Unavailable(Detail),
}

/// What any operation that reads a body may answer, too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum BodyRefusals {
    /// Input that breaks rules, by field; or a body that cannot be read.
    #[response(status = 400)]
    Invalid(FieldErrors),
    /// The body is larger than the server takes: 1 MiB unless set otherwise, 16 KiB where no token is needed.
    #[response(status = 413)]
    TooLarge(Detail),
    /// JSON, a form or a multipart form are read, nothing else.
    #[response(status = 415)]
    UnsupportedMediaType(Detail),
    /// Files cannot be uploaded yet.
    #[response(status = 501)]
    NotImplemented(Detail),
}

/// What an operation on many objects may answer, too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum BulkRefusals {
    /// Input that breaks rules, by place and field; or a body that cannot be read. Nothing was changed.
    #[response(status = 400)]
    Invalid(ItemErrors),
    /// The body is larger than the server takes: 1 MiB unless set otherwise, 16 KiB where no token is needed.
    #[response(status = 413)]
    TooLarge(Detail),
    /// JSON, a form or a multipart form are read, nothing else.
    #[response(status = 415)]
    UnsupportedMediaType(Detail),
    /// Files cannot be uploaded yet.
    #[response(status = 501)]
    NotImplemented(Detail),
}

/// What bringing something back may answer, too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Conflicts {
    /// Somebody else has its username, email or mobile number now.
    #[response(status = 400)]
    Taken(FieldErrors),
}

/// What an operation that takes `If-Match` may answer, too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum Preconditions {
    /// The object has changed since it was read: `If-Match` names none of its present tags.
    #[response(status = 412)]
    Stale(Detail),
}

/// What an operation without a body may answer, too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum HeaderRefusals {
    /// A header cannot be read.
    #[response(status = 400)]
    Malformed(Detail),
}

/// What a list may answer, too.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants are read by the derive alone")]
pub(super) enum ListRefusals {
    /// An unknown parameter, one given twice, or a value that is not allowed; by parameter.
    #[response(status = 400)]
    Invalid(FieldErrors),
}
