//! What is encrypted of a message: its text and its address.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::directory::error::Error;
use crate::directory::model::{DeliveryId, Locale, NewMessage};
use crate::directory::secrets_key::{Purpose, SealError, SecretsKeys};
use crate::directory::settings::{MessageSettings, OutboxPolicy};
use crate::directory::store::outbox::SealedDelivery;

/// What is encrypted of a message.
#[derive(Serialize, Deserialize)]
pub(super) struct Payload {
    to: String,
    subject: Option<String>,
    text: String,
    code: Option<String>,
    locale: String,
}

impl Payload {
    pub(super) fn seal(
        message: &NewMessage,
        id: &DeliveryId,
        policy: &OutboxPolicy,
    ) -> Result<Vec<u8>, Error> {
        let keys = policy.settings.keys.as_ref().ok_or_else(|| off(&policy.settings))?;
        let payload = Self {
            to: message.to.clone(),
            subject: message.subject.clone(),
            text: message.text.clone(),
            code: message.code.clone(),
            locale: message.locale.name().to_owned(),
        };
        let text = serde_json::to_vec(&payload).map(Zeroizing::new);
        let text = text.map_err(|error| Error::broken("a message cannot be written", error))?;
        keys.seal(&policy.clock, Purpose::Outbox, id.as_str(), &text)
    }

    pub(super) fn open(sealed: &SealedDelivery, keys: &SecretsKeys) -> Result<NewMessage, SealError> {
        let SealedDelivery { delivery, payload } = sealed;
        let payload = payload.as_deref().ok_or(SealError::Damaged)?;
        let text = keys.open(Purpose::Outbox, delivery.id.as_str(), payload)?;
        let Self { to, subject, text, code, locale } =
            serde_json::from_slice(&text).map_err(|_| SealError::Damaged)?;
        Ok(NewMessage {
            kind: delivery.kind,
            channel: delivery.channel,
            to,
            user: delivery.user,
            subject,
            text,
            code,
            locale: Locale::from_name(&locale).unwrap_or_default(),
            expires_at: delivery.expires_at,
        })
    }
}

/// The error of messages that cannot be sent.
pub(super) fn off(settings: &MessageSettings) -> Error {
    let fault = settings.fault.clone();
    Error::MessagesUnavailable(
        fault.unwrap_or_else(|| "there is no secrets key, or no provider (docs/messages.md)".to_owned()),
    )
}
