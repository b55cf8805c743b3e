//! The provider `smtp`: a mail server.
//!
//! The text is never sent in clear text, except to a server on this machine if the setting says so. A server that does not
//! offer TLS, or has a certificate that is not accepted, gets nothing. The deadline covers the whole of it: the library's own
//! covers the connection only.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::calls::{CallCounter, CallFault};
use super::message::{OutgoingMessage, SendError};
use super::smtp_stream::{MailStream, ask_for_tls};

/// How long the connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long all of it may take.
pub(super) const SEND_LIMIT: Duration = Duration::from_secs(20);

/// The code with which a mail server takes a mail.
const SENT: u16 = 250;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpProtection {
    /// It begins in clear text, which ends before anything is said.
    Starttls,
    /// It begins with TLS.
    Tls,
    /// Not at all.
    Clear,
}

/// A mail server, and the sender of mails.
pub(super) struct SmtpProvider {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: SmtpProtection,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) login: Option<(String, Zeroizing<String>)>,
    pub(super) from: Mailbox,
    /// The name with which this server greets the mail server.
    pub(super) hello: ClientId,
    /// How long all of it may take.
    pub(super) limit: Duration,
    pub(super) calls: CallCounter,
}

/// Why a mail was not taken, and what is counted.
struct MailFault {
    error: SendError,
    counted: Result<u16, CallFault>,
}

impl From<SendError> for MailFault {
    fn from(error: SendError) -> Self {
        Self { error, counted: Err(CallFault::Failed("no answer with a code")) }
    }
}

impl MailFault {
    fn silent(limit: Duration, why: String) -> Self {
        Self { error: SendError::later(why), counted: Err(CallFault::Silent(limit)) }
    }
}

/// Returns the name with which this server greets a mail server.
pub(super) fn hello_name(host: &str) -> ClientId {
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    match name.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) if !name.is_empty() && name.bytes().all(is_plain) => ClientId::Domain(name.to_owned()),
        Err(_) => ClientId::Domain("localhost".to_owned()),
    }
}

impl SmtpProvider {
    pub(super) async fn send(&self, message: &OutgoingMessage) -> Result<(), SendError> {
        let mail = self.mail(message)?;
        let call = self.calls.begin("smtp");
        let outcome = timeout(self.limit, self.deliver(&mail)).await.unwrap_or_else(|_| {
            Err(MailFault::silent(
                self.limit,
                format!("the mail server did not answer within {:?}", self.limit),
            ))
        });
        let counted = outcome.as_ref().map_or_else(|fault| fault.counted.clone(), |()| Ok(SENT));
        call.end(counted.as_ref().copied());
        outcome.map_err(|fault| fault.error)
    }

    /// Writes the mail. Its Message-ID is the same over all attempts.
    fn mail(&self, message: &OutgoingMessage) -> Result<Message, SendError> {
        let unusable = |_| SendError::Refused("the mail address cannot be used".to_owned());
        let to = message.to.parse::<lettre::Address>().map_err(unusable)?;
        let header =
            |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let id = format!("<{}@{}>", message.id, self.from.email.domain());
        let built = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject.as_deref().unwrap_or_default())
            .date(UNIX_EPOCH + Duration::from_secs(message.sent_at))
            .message_id(Some(id))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Content-Language", message.locale))
            .header(ContentType::TEXT_PLAIN)
            .body(format!("{}\n", message.text));
        built.map_err(|_| SendError::Refused("the mail cannot be written".to_owned()))
    }

    async fn deliver(&self, mail: &Message) -> Result<(), MailFault> {
        let stream = self.connect().await?;
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &self.hello)
            .await
            .map_err(|error| of_settings(general("the greeting", &error)))?;
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.to_string());
            let signed_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            signed_in.map_err(|error| of_settings(general("the sign-in with smtp_user", &error)))?;
        }
        let sent = connection.send(mail.envelope(), &mail.formatted()).await;
        sent.map_err(|error| general("the mail", &error))?;
        // It is sent, whatever the answer to this is.
        let _ = timeout(Duration::from_secs(1), connection.quit()).await;
        Ok(())
    }

    async fn connect(&self) -> Result<Box<dyn AsyncTokioStream>, MailFault> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let tcp = match timeout(CONNECT_LIMIT, connecting).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(error)) => {
                let why = format!("no connection to the mail server: {}", error.kind());
                return Err(SendError::later(why).into());
            }
            Err(_) => {
                let why = format!("no connection to the mail server within {CONNECT_LIMIT:?}");
                return Err(MailFault::silent(CONNECT_LIMIT, why));
            }
        };
        let peer =
            tcp.peer_addr().map_err(|_| SendError::later("the connection to the mail server broke"))?;
        match self.protection {
            SmtpProtection::Clear => Ok(Box::new(MailStream::new(tcp, peer, false))),
            SmtpProtection::Tls => Ok(Box::new(MailStream::new(self.encrypt(tcp).await?, peer, false))),
            SmtpProtection::Starttls => {
                let tcp = ask_for_tls(tcp, &self.hello).await?;
                Ok(Box::new(MailStream::new(self.encrypt(tcp).await?, peer, true)))
            }
        }
    }

    async fn encrypt(&self, tcp: TcpStream) -> Result<tokio_rustls::client::TlsStream<TcpStream>, SendError> {
        let name = ServerName::try_from(self.host.clone());
        let name = name.map_err(|_| SendError::later("smtp_host has no name for a certificate"))?;
        let connected = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await;
        connected.map_err(|error| {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            SendError::later(format!(
                "the mail server: {}",
                tls.map_or("TLS failed", super::calls::tls_fault)
            ))
        })
    }
}

/// What settings can change is no fault of the message: it is tried again.
fn of_settings(fault: MailFault) -> MailFault {
    match fault.error {
        SendError::Refused(why) => MailFault { error: SendError::later(why), ..fault },
        SendError::Later { .. } => fault,
    }
}

/// What failed, without what the server wrote except its code.
fn general(what: &str, error: &lettre::transport::smtp::Error) -> MailFault {
    let Some(code) = error.status() else {
        return match error.is_client() {
            true => SendError::Refused(format!("{what} needs what the mail server does not offer")).into(),
            false => SendError::later(format!("the connection to the mail server broke at {what}")).into(),
        };
    };
    let error = match error.is_permanent() {
        true => SendError::Refused(format!("the mail server refused {what} with code {code}")),
        false => SendError::later(format!("the mail server refused {what} for now with code {code}")),
    };
    MailFault { error, counted: Ok(code.into()) }
}

#[cfg(test)]
mod tests;
