//! The types of two settings: the sender of mails, and the host of the mail server.
//!
//! Never in here: a mail, or a connection.

use std::net::IpAddr;

use lettre::message::Mailbox;

use super::values::SettingType;

/// The sender of mails: an address, with a name if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSender(Mailbox);

impl MailSender {
    /// Returns the address with its name.
    pub fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    /// Returns the domain of the address.
    pub fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

impl SettingType for MailSender {
    type Parsed = Self;
    const NAME: &'static str = "SENDER";

    fn allowed() -> String {
        "a mail address, or a name and a mail address, such as Accounts <accounts@example.com>".into()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let is_plain = text.len() <= 320 && !text.chars().any(char::is_control);
        let parsed = text.parse::<Mailbox>().ok().filter(|_| is_plain);
        parsed.map(Self).ok_or_else(|| text.to_owned())
    }

    fn show(value: &Self) -> String {
        value.0.to_string()
    }
}

/// The host of a mail server: a name or an IP address.
#[derive(Debug)]
pub enum MailHost {}

impl SettingType for MailHost {
    type Parsed = String;
    const NAME: &'static str = "HOST";

    fn allowed() -> String {
        "the name or the IP address of a mail server, without its port, such as mail.example.com".into()
    }

    fn parse(text: &str) -> Result<String, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_name = (1..=253).contains(&text.len()) && text.bytes().all(is_plain);
        let is_good = is_name || text.parse::<IpAddr>().is_ok();
        if is_good { Ok(text.to_ascii_lowercase()) } else { Err(text.into()) }
    }

    fn show(value: &String) -> String {
        value.clone()
    }
}
