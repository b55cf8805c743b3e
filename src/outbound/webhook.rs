//! The provider `webhook`: a signed POST for each message.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Serialize;

use super::door::{Endpoint, EndpointReply};
use super::message::{OutgoingMessage, SendError};
use super::signature::SigningSecrets;

/// A receiver of messages.
pub(super) struct WebhookProvider {
    pub(super) endpoint: Endpoint,
    pub(super) secrets: SigningSecrets,
}

/// The body of the request.
#[derive(Serialize)]
struct MessageEvent<'a> {
    #[serde(rename = "type")]
    name: String,
    timestamp: String,
    data: MessageData<'a>,
}

#[derive(Serialize)]
struct MessageData<'a> {
    id: &'a str,
    channel: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    locale: &'a str,
    expires_at: &'a str,
}

impl WebhookProvider {
    pub(super) async fn send(&self, message: &OutgoingMessage) -> Result<(), SendError> {
        let body = body(message)?;
        let signature = self.secrets.sign(&message.id, message.sent_at, &body);
        let timestamp = message.sent_at.to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            ("webhook-id", &message.id),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", &signature),
        ] {
            let value = HeaderValue::try_from(value.as_str());
            headers.insert(name, value.map_err(|_| SendError::Refused("the id cannot be sent".to_owned()))?);
        }
        verdict(&self.endpoint.post(headers, body).await?)
    }
}

/// The name of the event of a kind of messages.
fn event(kind: &str) -> String {
    let noun = if kind == "code" { "otp" } else { kind };
    format!("{noun}.requested")
}

fn body(message: &OutgoingMessage) -> Result<Vec<u8>, SendError> {
    let sent_at = i64::try_from(message.sent_at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    let event = MessageEvent {
        name: event(message.kind),
        timestamp: sent_at.map(|at| at.to_string()).unwrap_or_default(),
        data: MessageData {
            id: &message.id,
            channel: message.channel,
            to: &message.to,
            subject: message.subject.as_deref(),
            text: &message.text,
            code: message.code.as_deref(),
            locale: message.locale,
            expires_at: &message.expires_at,
        },
    };
    serde_json::to_vec(&event)
        .map_err(|_| SendError::Refused("the message cannot be written as JSON".to_owned()))
}

fn verdict(reply: &EndpointReply) -> Result<(), SendError> {
    let status = reply.status;
    match status {
        200..=299 => Ok(()),
        // The receiver has understood the request, and will not take the message.
        400 | 410 | 413 | 422 => {
            Err(SendError::Refused(format!("the receiver answered with status {status}")))
        }
        300..=399 => Err(SendError::later(format!(
            "the receiver answered with the redirect {status}, which is not followed"
        ))),
        _ => {
            let why = format!("the receiver answered with status {status}");
            Err(SendError::Later { why, after: reply.retry_after })
        }
    }
}
