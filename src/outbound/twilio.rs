//! The provider `twilio`: a form POST for each text message, to Twilio or a service with the same API.
//!
//! The API knows no idempotency key. If an answer is lost, the message is sent twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::door::{Endpoint, EndpointReply};
use super::message::{OutgoingMessage, SendError};

/// An account of the service.
pub(super) struct TwilioProvider {
    pub(super) endpoint: Endpoint,
    pub(super) account: String,
    pub(super) token: Zeroizing<String>,
    pub(super) from: String,
}

/// Returns the URL of the messages of an account.
pub(super) fn messages_url(base: &str, account: &str) -> String {
    let account: String =
        percent_encoding::utf8_percent_encode(account, percent_encoding::NON_ALPHANUMERIC).to_string();
    format!("{}/2010-04-01/Accounts/{account}/Messages.json", base.trim_end_matches('/'))
}

/// What is read of an error.
#[derive(Deserialize)]
struct TwilioError {
    code: u32,
}

impl TwilioProvider {
    pub(super) async fn send(&self, message: &OutgoingMessage) -> Result<(), SendError> {
        // A messaging service has an id in place of a number.
        let sender = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let form = [("To", message.to.as_str()), (sender, &self.from), ("Body", &message.text)];
        let body = serde_urlencoded::to_string(form)
            .map_err(|_| SendError::Refused("the message cannot be written as a form".to_owned()))?;
        let basic = Zeroizing::new(STANDARD.encode(format!("{}:{}", self.account, self.token.as_str())));
        let basic = HeaderValue::try_from(format!("Basic {}", basic.as_str()));
        let mut basic = basic.map_err(|_| SendError::later("twilio_account cannot be sent"))?;
        basic.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, basic);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        verdict(&self.endpoint.post(headers, body.into_bytes()).await?)
    }
}

fn verdict(reply: &EndpointReply) -> Result<(), SendError> {
    let status = reply.status;
    if (200..=299).contains(&status) {
        return Ok(());
    }
    let code = serde_json::from_slice::<TwilioError>(&reply.body).ok();
    let code = code.map(|error| format!(", error {}", error.code)).unwrap_or_default();
    let why = format!("the service answered with status {status}{code}");
    match status {
        400 | 413 | 422 => Err(SendError::Refused(why)),
        _ => Err(SendError::Later { why, after: reply.retry_after }),
    }
}
