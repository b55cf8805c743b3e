//! The bodies of signing in and out.

use utoipa::ToSchema;

use crate::http::api::samples;

/// Username and password.
#[derive(ToSchema)]
#[schema(as = SignIn, example = json!({ "username": samples::USERNAME, "password": samples::PASSWORD }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct SignInBody {
    /// The username; blanks around it are ignored.
    #[schema(min_length = 1)]
    username: String,
    /// The password, unchanged.
    #[schema(min_length = 1)]
    password: String,
}

/// The extent of a sign-out.
#[derive(ToSchema)]
#[schema(as = SignOut, example = json!({ "everywhere": false }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct SignOutBody {
    /// Whether all my sign-ins end, with the tokens derived from them. False by default.
    #[schema(required = false)]
    everywhere: bool,
}

/// What a code is asked for with: one of the two.
#[derive(ToSchema)]
#[schema(as = CodeRequest, example = json!({ "mobile_number": samples::MOBILE_NUMBER }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct CodeTargetBody {
    /// The number, with its country: blanks, dots, hyphens and parentheses do not matter.
    #[schema(required = false, min_length = 1, max_length = 32)]
    mobile_number: String,
    /// The e-mail address.
    #[schema(required = false, min_length = 1, max_length = 254, format = "email")]
    email: String,
}

/// A code, and what it was asked for with where that is needed.
#[derive(ToSchema)]
#[schema(as = CodeVerify, example = json!({ "code": samples::CODE, "mobile_number": samples::MOBILE_NUMBER }))]
#[expect(dead_code, reason = "the fields are read by the derive alone")]
pub(in crate::http::api) struct CodeBody {
    /// The digits of the code.
    #[schema(min_length = 1)]
    code: String,
    /// The number that the code was asked for with.
    #[schema(required = false, min_length = 1, max_length = 32)]
    mobile_number: String,
    /// The e-mail address that the code was asked for with.
    #[schema(required = false, min_length = 1, max_length = 254, format = "email")]
    email: String,
}
