//! The bodies about links that are mailed: invitations, and forgotten passwords.

use utoipa::ToSchema;

use crate::http::api::samples;

/// Whether a new user is invited.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct InvitationField {
    /// Whether the user gets a mail with a link to choose a password. It needs an email, and no password. False by default.
    #[schema(required = false)]
    invite: bool,
}

/// The account of a user who has forgotten the password: its email, or its username.
#[derive(ToSchema)]
#[schema(as = PasswordForgot, example = json!({ "email": "grace.hopper@example.com" }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct ForgottenPassword {
    /// The email of the account.
    #[schema(required = false, min_length = 1, max_length = 254)]
    email: String,
    /// The username of the account, if no email is given.
    #[schema(required = false, min_length = 1, max_length = 150)]
    username: String,
}

/// The key of a link, and the new password.
#[derive(ToSchema)]
#[schema(as = PasswordReset, example = json!({ "key": samples::LINK_KEY, "password": samples::NEW_PASSWORD }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct PasswordByLink {
    /// The last part of the link.
    #[schema(min_length = 1)]
    key: String,
    /// The new password, which must follow the rules for passwords.
    #[schema(min_length = 1, max_length = 1024)]
    password: String,
}
