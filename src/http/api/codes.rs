//! `/api/users/auth/otp`: signing in with a one-time code.
//!
//! The routes exist only if the setting `otp_sign_in` is on. No answer says whether an account exists: what is asked for is
//! decided afterwards, and every answer takes a whole number of [`EVEN_STEP`]s.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use super::answers::{BodyRefusals, Throttled};
use super::auth::{SignedIn, refused_sign_in, signed_in};
use super::bodies::{CodeBody, CodeTargetBody};
use super::view::Detail;
use crate::directory::Origin;
use crate::directory::authentication::CodeBinding;
use crate::directory::model::{Channel, CodeRequest, CodeTarget, Email, MobileNumber, TypedCode, Violation};
use crate::http::app::App;
use crate::http::body::{Body, Fields};
use crate::http::code_ticket::SentTicket;
use crate::http::error::{ApiError, answer};
use crate::http::even_time::{EVEN_STEP, in_steps};
use crate::http::language::ClientLanguage;

/// The answer to a request for a code.
#[derive(Serialize, ToSchema)]
struct CodeLeft {
    /// For how many seconds the code is valid, if one was sent. There is no new one before.
    #[schema(example = 300)]
    ttl: u64,
}

/// Ask for a One-Time Code
///
/// Send a code to a mobile number or, as an extension, to an e-mail address. Every number and address that is well-formed gets
/// this answer, after the same time: whether an account has it, whether it is active, and whether the account has had too many
/// codes. While a code is out, there is no new one, and `ttl` counts down. The cookie of the answer binds the code to this
/// client, so that `verify` needs nothing but the code. One client may ask for a limited number of numbers and addresses in an
/// hour. Without the setting `otp_sign_in`, this path does not exist (404).
#[utoipa::path(
    post,
    path = "/api/users/auth/otp/signin",
    operation_id = "auth_code_request",
    tag = "auth",
    request_body = CodeTargetBody,
    responses(
        (status = 200, description = "A code was sent if an account may have one", body = CodeLeft,
            headers(("Set-Cookie" = String, description = "Binds the code to this client"))),
        (status = 401, description = "An `Authorization` header was sent and is not valid", body = Detail),
        (status = 404, description = "The setting `otp_sign_in` is off", body = Detail),
        BodyRefusals,
        Throttled,
    ),
)]
pub(super) async fn ask(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    ClientLanguage(locale): ClientLanguage,
    SentTicket { cookie, .. }: SentTicket,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let is_sent = fields.contains("mobile_number") || fields.contains("email");
    let target = read_target(&app, &mut fields);
    fields.require("mobile_number", is_sent);
    check_channel(&app, &mut fields, target.as_ref());
    fields.end()?;
    let target = target.ok_or(ApiError::NotFound)?;
    let CodeRequest { left, ticket } =
        in_steps(EVEN_STEP, app.directory().request_code(&origin, target, locale)).await?;
    let mut response = answer(StatusCode::OK, &CodeLeft { ttl: seconds(left) });
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cookie.add_to(&mut response, &ticket, left);
    Ok(response)
}

/// Sign In with a One-Time Code
///
/// Get a token that expires for a code. A code alone is enough for the client that asked for it, by the cookie of the answer, or
/// if exactly one code was asked for from its address; otherwise send `mobile_number` or `email` with it. A code works once, for
/// a few minutes, and for five tries. A code that is wrong, used or expired gets the same answer. Without the setting
/// `otp_sign_in`, this path does not exist (404).
#[utoipa::path(
    post,
    path = "/api/users/auth/otp/verify",
    operation_id = "auth_code_verify",
    tag = "auth",
    request_body = CodeBody,
    responses(
        (status = 200, description = "The key of a new token", body = SignedIn,
            headers(
                ("X-Token-Expires-At" = String, description = "When the token expires (RFC 3339)"),
                ("Set-Cookie" = String, description = "Removes the cookie of the request for the code")
            )),
        (status = 401, description = "An `Authorization` header was sent and is not valid", body = Detail),
        (status = 404, description = "The setting `otp_sign_in` is off", body = Detail),
        BodyRefusals,
        Throttled,
    ),
)]
pub(super) async fn verify(
    State(app): State<App>,
    Extension(origin): Extension<Origin>,
    SentTicket { cookie, ticket }: SentTicket,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = Fields::from(body);
    let code = fields.text("code");
    fields.require_filled("code", code.as_deref());
    let target = read_target(&app, &mut fields);
    fields.end()?;
    let typed = TypedCode::new(&code.unwrap_or_default());
    let binding = target.map_or(CodeBinding::Bare(ticket), CodeBinding::Target);
    let checked = in_steps(EVEN_STEP, app.directory().sign_in_with_code(&origin, binding, typed));
    match checked.await {
        Ok(issued) => {
            let mut response = signed_in(&issued);
            cookie.end_with(&mut response);
            Ok(response)
        }
        Err(refused) => Ok(refused_sign_in(refused)),
    }
}

/// Reads a number or an address. Faults are added to the fields.
fn read_target(app: &App, fields: &mut Fields) -> Option<CodeTarget> {
    let (number, address) = (fields.text("mobile_number"), fields.text("email"));
    if number.is_some() && address.is_some() {
        let text = "Send either mobile_number or email.".to_owned();
        fields.refuse("email", &Violation::Other(text));
        return None;
    }
    let home = app.directory().code_settings().and_then(|settings| settings.home.as_ref());
    let (field, target) = match (number, address) {
        (Some(number), _) => {
            let number = number.parse::<MobileNumber>();
            ("mobile_number", number.map(|number| CodeTarget::of_number(&number, home)))
        }
        (_, Some(address)) => {
            let address = address.parse::<Email>();
            ("email", address.map(|address| CodeTarget::of_mail(&address)))
        }
        (None, None) => return None,
    };
    target.map_err(|violation| fields.refuse(field, &violation)).ok()
}

/// Refuses a way that no code takes here. That depends on the server alone.
fn check_channel(app: &App, fields: &mut Fields, target: Option<&CodeTarget>) {
    let Some(channel) = target.map(CodeTarget::channel) else { return };
    if app.directory().sends_codes_by(channel) {
        return;
    }
    let (field, text) = match channel {
        Channel::Sms => ("mobile_number", "This server sends no codes by SMS."),
        Channel::Mail => ("email", "This server sends no codes by mail."),
    };
    fields.refuse(field, &Violation::Other(text.to_owned()));
}

/// The rest of a time in seconds, at least one.
fn seconds(left: Duration) -> u64 {
    left.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
}
