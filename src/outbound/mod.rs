//! What leaves the machine: HTTP calls through one door, and mails. Providers of messages are objects, so that a test or a
//! demo can hand in others.
//!
//! Never in here: a user, a database, or a retry. Who sends decides when to try again.

mod addresses;
mod calls;
mod door;
mod message;
mod signature;
mod smtp;
mod smtp_stream;
mod terminal;
pub(crate) mod tls;
mod twilio;
mod webhook;

use std::sync::Arc;

pub use self::addresses::{AddressGuard, ForbiddenAddress};
pub use self::calls::{CallCounter, CallFault, CallInProgress};
pub use self::door::{CALL_LIMIT, Door, Endpoint, EndpointReply, GuardedClient, RESPONSE_LIMIT};
pub use self::message::{OutgoingMessage, SendError};
pub use self::signature::SigningSecrets;
pub use self::smtp::SmtpProtection;
use self::smtp::{SEND_LIMIT, SmtpProvider, hello_name};
use self::twilio::{TwilioProvider, messages_url};
use self::webhook::WebhookProvider;
use crate::config::{Config, MailProvider, ProviderSecrets, PublicUrl, SmsProvider, SmtpSecurity};

/// What sends messages: a provider for each channel.
#[derive(Clone, Default)]
pub struct Providers {
    sms: Option<Arc<Provider>>,
    mail: Option<Arc<Provider>>,
}

enum Provider {
    Webhook(WebhookProvider),
    Twilio(TwilioProvider),
    Smtp(Box<SmtpProvider>),
    Terminal,
}

impl Providers {
    /// The providers that the settings name.
    pub fn of(config: &Config, secrets: ProviderSecrets, door: &Door) -> Result<Self, String> {
        let ProviderSecrets { webhook, twilio, smtp } = secrets;
        let webhook = webhook.map(|text| webhook_of(config, &text, door)).transpose()?;
        let webhook = webhook.map(|provider| Arc::new(Provider::Webhook(provider)));
        let sms = match config.sms_provider {
            SmsProvider::None => None,
            SmsProvider::Webhook => webhook.clone(),
            SmsProvider::Twilio => {
                let token = twilio.unwrap_or_default();
                let account = config.twilio_account.clone().unwrap_or_default();
                let url = messages_url(config.twilio_url.as_str(), &account);
                let endpoint = Endpoint::new(&url, "twilio", door, config.outbound_ca_file.as_deref())?;
                let from = config.twilio_from.clone().unwrap_or_default();
                Some(Arc::new(Provider::Twilio(TwilioProvider { endpoint, account, token, from })))
            }
        };
        let mail = match config.mail_provider {
            MailProvider::None => None,
            MailProvider::Webhook => webhook,
            MailProvider::Smtp => {
                let login = config.smtp_user.clone().zip(smtp);
                Some(Arc::new(Provider::Smtp(Box::new(smtp_of(config, login, door)?))))
            }
        };
        Ok(Self { sms, mail })
    }

    /// Providers that print messages on the terminal, for the demo.
    pub fn terminal() -> Self {
        let terminal = Arc::new(Provider::Terminal);
        Self { sms: Some(Arc::clone(&terminal)), mail: Some(terminal) }
    }

    /// Whether there is none.
    pub fn are_none(&self) -> bool {
        self.sms.is_none() && self.mail.is_none()
    }

    /// Sends a message. It ends within 20 seconds.
    pub async fn send(&self, message: &OutgoingMessage) -> Result<(), SendError> {
        let provider = if message.channel == "sms" { &self.sms } else { &self.mail };
        match provider.as_deref() {
            None => Err(SendError::later("there is no provider")),
            Some(Provider::Webhook(webhook)) => webhook.send(message).await,
            Some(Provider::Twilio(twilio)) => twilio.send(message).await,
            Some(Provider::Smtp(smtp)) => smtp.send(message).await,
            Some(Provider::Terminal) => {
                terminal::print(message);
                Ok(())
            }
        }
    }
}

fn webhook_of(config: &Config, secret: &str, door: &Door) -> Result<WebhookProvider, String> {
    let url = config.message_webhook_url.as_ref().map(|url| url.as_str()).unwrap_or_default();
    let endpoint = Endpoint::new(url, "webhook", door, config.outbound_ca_file.as_deref())?;
    let secrets = SigningSecrets::parse(secret).map_err(|allowed| {
        format!("message_webhook_secret_file: the text of the file (not shown) is not allowed; use {allowed}")
    })?;
    Ok(WebhookProvider { endpoint, secrets })
}

fn smtp_of(
    config: &Config,
    login: Option<(String, zeroize::Zeroizing<String>)>,
    door: &Door,
) -> Result<SmtpProvider, String> {
    let from = config.mail_from.as_ref().ok_or("mail_from is empty: name the sender of mails")?;
    let host = config.public_url.as_ref().map(PublicUrl::host).unwrap_or(from.domain());
    Ok(SmtpProvider {
        host: config.smtp_host.clone().unwrap_or_default(),
        port: u16::try_from(config.smtp_port).unwrap_or(587),
        protection: match config.smtp_security {
            SmtpSecurity::Starttls => SmtpProtection::Starttls,
            SmtpSecurity::Tls => SmtpProtection::Tls,
            SmtpSecurity::None => SmtpProtection::Clear,
        },
        tls: Arc::new(tls::client_config(config.smtp_ca_file.as_deref(), "smtp_ca_file")?),
        login,
        from: from.mailbox().clone(),
        hello: hello_name(host),
        calls: door.calls().clone(),
        limit: SEND_LIMIT,
    })
}
