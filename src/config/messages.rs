//! The types of the settings of messages, and the combinations of them that cannot work.
//!
//! Never in here: the call of a service, or a message that quotes a secret.

use ipnet::IpNet;

use super::hosts::network;
use super::values::{SettingType, choice, items, joined};

choice! {
    /// What sends text messages.
    SmsProvider {
        /// Nothing.
        None = "none",
        /// The receiver of signed JSON.
        Webhook = "webhook",
        /// A service with the API of Twilio.
        Twilio = "twilio",
    }
}

choice! {
    /// What sends mails.
    MailProvider {
        /// Nothing.
        None = "none",
        /// The receiver of signed JSON.
        Webhook = "webhook",
        /// A mail server.
        Smtp = "smtp",
    }
}

choice! {
    /// How the connection to a mail server is protected.
    SmtpSecurity {
        /// It begins in clear text and then uses TLS, or ends.
        Starttls = "starttls",
        /// It begins with TLS.
        Tls = "tls",
        /// Not at all.
        None = "none",
    }
}

choice! {
    /// The language of messages.
    MessageLocale {
        /// English.
        English = "en",
        /// Persian.
        Persian = "fa",
    }
}

/// A name, account or number that a provider knows.
#[derive(Debug)]
pub enum MessageWord {}

impl SettingType for MessageWord {
    type Parsed = String;
    const NAME: &'static str = "TEXT";

    fn allowed() -> String {
        "up to 254 visible ASCII characters, and blanks between them".into()
    }

    fn parse(text: &str) -> Result<String, String> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let is_good = (1..=254).contains(&text.len()) && text.trim() == text && text.bytes().all(is_plain);
        if is_good { Ok(text.into()) } else { Err(text.into()) }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

/// The name of the service in messages.
#[derive(Debug)]
pub enum ServiceName {}

impl SettingType for ServiceName {
    type Parsed = String;
    const NAME: &'static str = "TEXT";

    fn allowed() -> String {
        "1 to 30 characters on one line".into()
    }

    fn parse(text: &str) -> Result<String, String> {
        let length = text.chars().count();
        let is_good =
            (1..=30).contains(&length) && text.trim() == text && !text.chars().any(char::is_control);
        if is_good { Ok(text.into()) } else { Err(text.into()) }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}

/// A URL that is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingType for EndpointUrl {
    type Parsed = Self;
    const NAME: &'static str = "URL";

    fn allowed() -> String {
        "an http:// or https:// URL of visible ASCII characters, such as https://hooks.example.com/messages, without user, \
         password and fragment"
            .into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let refused = || text.to_owned();
        let is_plain = text.len() <= 2000 && text.bytes().all(|byte| byte.is_ascii_graphic());
        let parsed = reqwest::Url::parse(text).map_err(|_| refused())?;
        let is_good = is_plain
            && ["http", "https"].contains(&parsed.scheme())
            && parsed.has_host()
            && parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.fragment().is_none()
            && !text.contains('\\');
        if is_good { Ok(Self(text.to_owned())) } else { Err(refused()) }
    }

    fn show(value: &Self) -> String {
        value.0.clone()
    }
}

/// Networks.
#[derive(Debug)]
pub enum NetworkList {}

impl SettingType for NetworkList {
    type Parsed = Vec<IpNet>;
    const NAME: &'static str = "NETWORKS";
    const LIST: bool = true;

    fn allowed() -> String {
        "IP addresses or networks, separated by commas, such as 127.0.0.1,10.0.0.0/8, or an empty value"
            .into()
    }

    fn parse(text: &str) -> Result<Vec<IpNet>, String> {
        items(text).map(|item| network(item).ok_or_else(|| item.to_owned())).collect()
    }

    fn show(value: &Vec<IpNet>) -> String {
        joined(value)
    }
}
