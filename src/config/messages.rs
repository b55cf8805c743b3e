//! The types of the settings of messages, and the combinations of them that cannot work.
//!
//! Never in here: the call of a service, or a message that quotes a secret.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use zeroize::Zeroizing;

use super::Config;
use super::database_url::{credential, read_secret};
use super::hosts::network;
use super::sources::{ConfigError, Environment, SettingOrigin, ShownSetting, check_pair};
use super::values::{SettingType, choice, items, joined};

const KEY_FILE: &str = "secrets_key_file";
const WEBHOOK_FILE: &str = "message_webhook_secret_file";
const TWILIO_FILE: &str = "twilio_token_file";
const SMTP_FILE: &str = "smtp_password_file";

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

/// The secrets of the providers that the settings name.
#[derive(Default)]
pub struct ProviderSecrets {
    /// The lines of `message_webhook_secret_file`.
    pub webhook: Option<Zeroizing<String>>,
    /// The auth token of `twilio_account`.
    pub twilio: Option<Zeroizing<String>>,
    /// The password of `smtp_user`.
    pub smtp: Option<Zeroizing<String>>,
}

impl Config {
    /// Whether a provider of text messages or mails is set.
    pub fn sends_messages(&self) -> bool {
        self.sms_provider != SmsProvider::None || self.mail_provider != MailProvider::None
    }

    /// Reads the file with the secrets key, if one is named.
    pub fn secrets_key_text(&self) -> Result<Option<Zeroizing<String>>, ConfigError> {
        self.secrets_key_file.as_deref().map(|path| read_secret(KEY_FILE, path)).transpose()
    }

    /// Reads the secrets of the providers in use.
    pub fn provider_secrets(&self) -> Result<ProviderSecrets, ConfigError> {
        let uses_webhook =
            self.sms_provider == SmsProvider::Webhook || self.mail_provider == MailProvider::Webhook;
        let webhook = self.message_webhook_secret_file.as_deref().filter(|_| uses_webhook);
        let twilio = self.twilio_token_file.as_deref().filter(|_| self.sms_provider == SmsProvider::Twilio);
        let smtp = self.smtp_password_file.as_deref().filter(|_| self.mail_provider == MailProvider::Smtp);
        Ok(ProviderSecrets {
            webhook: webhook.map(|path| read_secret(WEBHOOK_FILE, path)).transpose()?,
            twilio: twilio.map(|path| one_line(TWILIO_FILE, path)).transpose()?,
            smtp: smtp.map(|path| one_line(SMTP_FILE, path)).transpose()?,
        })
    }
}

/// Reads a file that holds one line.
fn one_line(key: &'static str, path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let text = read_secret(key, path)?;
    let line = text.trim_end_matches(['\r', '\n']);
    let is_good = (1..=1024).contains(&line.len()) && !line.chars().any(char::is_control);
    if is_good {
        return Ok(Zeroizing::new(line.to_owned()));
    }
    let (origin, given) =
        (SettingOrigin::File(path.to_owned()), "the text of the file (not shown)".to_owned());
    Err(ConfigError::NotAllowed {
        key,
        origin,
        given,
        allowed: "one line with the secret, and nothing else".to_owned(),
    })
}

/// Fills in the files of secrets that the service manager provides, and notes them in their rows.
pub(super) fn complete(config: &mut Config, rows: &mut [ShownSetting], environment: Environment<'_>) {
    for (file, key, name) in [
        (&mut config.secrets_key_file, KEY_FILE, "secrets_key"),
        (&mut config.message_webhook_secret_file, WEBHOOK_FILE, "message_webhook_secret"),
        (&mut config.twilio_token_file, TWILIO_FILE, "twilio_token"),
        (&mut config.smtp_password_file, SMTP_FILE, "smtp_password"),
    ] {
        let Some(path) = credential(name, environment).filter(|_| file.is_none()) else { continue };
        if let Some(row) = rows.iter_mut().find(|row| row.key == key) {
            row.value = path.display().to_string();
            row.origin = SettingOrigin::File(path.clone());
        }
        *file = Some(path);
    }
}

/// Refuses combinations that cannot work, or that would send messages in clear text.
pub(super) fn check(config: &Config, rows: &[ShownSetting]) -> Result<(), ConfigError> {
    let refused = |key: &'static str, reason: String| {
        let origin = rows.iter().find(|row| row.key == key);
        let origin = origin.map_or(SettingOrigin::Default, |row| row.origin.clone());
        Err(ConfigError::Refused { key, origin, reason })
    };
    for (key, provider, needs) in needs(config) {
        let missing: Vec<_> = needs.iter().filter(|(_, is_there)| !is_there).map(|(key, _)| *key).collect();
        if !missing.is_empty() {
            let hint =
                if missing.contains(&KEY_FILE) { " (`wardroom secrets generate` makes a key)" } else { "" };
            return refused(
                key,
                format!("{provider} needs {} in addition: set them{hint}", missing.join(", ")),
            );
        }
    }
    check_pair(rows, ["smtp_user", SMTP_FILE]).or_else(|error| {
        // A credential that is there for another server is no fault.
        if config.smtp_user.is_none() && config.mail_provider != MailProvider::Smtp {
            Ok(())
        } else {
            Err(error)
        }
    })?;
    for (key, url) in [
        ("message_webhook_url", config.message_webhook_url.as_ref()),
        ("twilio_url", Some(&config.twilio_url)),
    ] {
        if let Some(url) = url.filter(|url| !url.is_protected()) {
            return refused(
                key,
                format!("{} would carry messages in clear text: use https://", url.as_str()),
            );
        }
    }
    let host = config.smtp_host.as_deref().unwrap_or("localhost");
    if config.smtp_security == SmtpSecurity::None && (!is_this_machine(host) || config.smtp_user.is_some()) {
        let why = "none is for a server on this machine and without smtp_user: use starttls or tls";
        return refused("smtp_security", why.to_owned());
    }
    Ok(())
}

type ProviderNeed = (&'static str, bool);

/// The settings that the chosen providers need.
fn needs(config: &Config) -> Vec<(&'static str, &'static str, Vec<ProviderNeed>)> {
    let key = (KEY_FILE, config.secrets_key_file.is_some());
    let webhook = vec![
        key,
        ("message_webhook_url", config.message_webhook_url.is_some()),
        (WEBHOOK_FILE, config.message_webhook_secret_file.is_some()),
    ];
    let twilio = vec![
        key,
        ("twilio_account", config.twilio_account.is_some()),
        (TWILIO_FILE, config.twilio_token_file.is_some()),
        ("twilio_from", config.twilio_from.is_some()),
    ];
    let smtp =
        vec![key, ("smtp_host", config.smtp_host.is_some()), ("mail_from", config.mail_from.is_some())];
    let sms = match config.sms_provider {
        SmsProvider::None => None,
        SmsProvider::Webhook => Some(("sms_provider", "webhook", webhook.clone())),
        SmsProvider::Twilio => Some(("sms_provider", "twilio", twilio)),
    };
    let mail = match config.mail_provider {
        MailProvider::None => None,
        MailProvider::Webhook => Some(("mail_provider", "webhook", webhook)),
        MailProvider::Smtp => Some(("mail_provider", "smtp", smtp)),
    };
    sms.into_iter().chain(mail).collect()
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

impl EndpointUrl {
    /// Whether no one on a network can read what is sent there.
    fn is_protected(&self) -> bool {
        let url = reqwest::Url::parse(&self.0).ok();
        url.is_some_and(|url| url.scheme() == "https" || url.host_str().is_some_and(is_this_machine))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{Flags, Loaded};

    fn load(flags: &[(&'static str, &str)], credentials: Option<&Path>) -> Result<Loaded, ConfigError> {
        let flags = flags.iter().fold(Flags::default(), |flags, (key, text)| flags.with(key, *text));
        let find = |name: &str| {
            credentials.filter(|_| name == "CREDENTIALS_DIRECTORY").map(|path| path.as_os_str().to_owned())
        };
        Config::load_from(&flags, &find, Path::new("/nonexistent/wardroom.toml"))
    }

    fn refusal(flags: &[(&'static str, &str)]) -> String {
        load(flags, None).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn combinations_that_cannot_work_are_refused_with_a_remedy() {
        assert_eq!(
            refusal(&[("sms_provider", "twilio"), ("twilio_account", "AC1")]),
            "sms_provider (flag --sms-provider): twilio needs secrets_key_file, twilio_token_file, twilio_from in addition: \
             set them (`wardroom secrets generate` makes a key)"
        );
        assert_eq!(
            refusal(&[("mail_provider", "smtp"), (KEY_FILE, "/key"), ("smtp_host", "mail.example.com")]),
            "mail_provider (flag --mail-provider): smtp needs mail_from in addition: set them"
        );
        assert!(refusal(&[("mail_provider", "webhook"), (KEY_FILE, "/key")]).contains("message_webhook_url"));
        for (key, url) in
            [("message_webhook_url", "http://hooks.example.com/"), ("twilio_url", "http://10.0.0.1:80")]
        {
            assert!(refusal(&[(key, url)]).contains("in clear text: use https://"), "{url}");
        }
        for url in [
            "http://127.0.0.1:9000/x",
            "http://[::1]/",
            "http://localhost/",
            "https://hooks.example.com/x?y=1",
        ] {
            assert!(load(&[("message_webhook_url", url)], None).is_ok(), "{url}");
        }
        for url in
            ["ftp://a/", "https://user:hunter2@a/", "https://a/#b", "/path", "https://", "https://a\\b/"]
        {
            let text = refusal(&[("message_webhook_url", url)]);
            assert!(text.contains("an http:// or https:// URL"), "{text}");
        }
        for flags in [
            [("smtp_security", "none"), ("smtp_host", "mail.example.com"), ("smtp_user", "")],
            [("smtp_security", "none"), ("smtp_host", "127.0.0.1"), ("smtp_user", "app")],
        ] {
            let text = load(&flags, None).map(|_| ()).unwrap_err().to_string();
            assert!(text.contains("without smtp_user") || text.contains("smtp_password_file"), "{text}");
        }
        assert!(load(&[("smtp_security", "none"), ("smtp_host", "::1")], None).is_ok());
        for sender in ["", "Accounts <a@example.com>", "a@example.com", "\"A, B\" <a@example.com>"] {
            assert!(load(&[("mail_from", sender)], None).is_ok(), "{sender}");
        }
        for sender in ["Accounts", "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "@"]
        {
            assert!(refusal(&[("mail_from", sender)]).contains("a mail address"), "{sender}");
        }
        assert!(refusal(&[("messages_service", &"w".repeat(31))]).contains("1 to 30 characters"));
        assert!(refusal(&[("outbound_networks", "10.0.0.0/33")]).contains("IP addresses or networks"));
    }

    #[test]
    fn secrets_are_in_files_or_credentials_and_never_shown() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode| {
            fs::write(place.path().join(name), text).unwrap();
            fs::set_permissions(place.path().join(name), Permissions::from_mode(mode)).unwrap();
        };
        write("secrets_key", "planted-key\n", 0o600);
        write("twilio_token", "planted-token\n", 0o600);
        let flags = [("sms_provider", "twilio"), ("twilio_account", "AC1"), ("twilio_from", "+15005550006")];
        let loaded = load(&flags, Some(place.path())).unwrap();
        assert_eq!(loaded.config.secrets_key_text().unwrap().unwrap().trim(), "planted-key");
        let secrets = loaded.config.provider_secrets().unwrap();
        assert_eq!(secrets.twilio.unwrap().as_str(), "planted-token");
        assert!(secrets.webhook.is_none() && secrets.smtp.is_none());
        let seen = format!("{loaded:?} {}", crate::config::render_show(&loaded));
        assert!(seen.contains("twilio_token") && !seen.contains("planted"), "{seen}");
        for (text, mode, why) in [
            ("a\nb", 0o600, "one line"),
            ("", 0o600, "one line"),
            ("a", 0o644, "opens the file to every user"),
        ] {
            write("twilio_token", text, mode);
            let error = loaded.config.provider_secrets().map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
