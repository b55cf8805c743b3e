//! The settings of messages, with their files: the secrets key and the texts.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::report::CliError;
use crate::config::{Config, MailProvider, MessageLocale, PublicUrl, SmsProvider};
use crate::directory::MessageSettings;
use crate::directory::messages::{LONGEST_TEMPLATE, Templates};
use crate::directory::model::Locale;
use crate::directory::secrets_key::SecretsKeys;

/// Reads all of it. An error names the file and what to do.
pub(super) fn message_settings(config: &Config) -> Result<MessageSettings, CliError> {
    Ok(MessageSettings {
        keys: secrets_keys(config)?.map(Arc::new),
        templates: Arc::new(templates(config)?),
        ..plain(config)
    })
}

/// The same for a command that may need no message: what cannot be read is remembered for the case that it does.
pub(super) fn message_settings_or_fault(config: &Config) -> MessageSettings {
    message_settings(config)
        .unwrap_or_else(|error| MessageSettings { fault: Some(error.into_message()), ..plain(config) })
}

fn plain(config: &Config) -> MessageSettings {
    MessageSettings {
        keys: None,
        fault: None,
        sms: config.sms_provider != SmsProvider::None,
        mail: config.mail_provider != MailProvider::None,
        templates: Arc::default(),
        locale: match config.messages_locale {
            MessageLocale::English => Locale::English,
            MessageLocale::Persian => Locale::Persian,
        },
        most_waiting: config.outbox_limit,
        keep_outcomes_for: config.outbox_keep,
    }
}

/// Reads the secrets keys, if a file is named.
pub(super) fn secrets_keys(config: &Config) -> Result<Option<SecretsKeys>, CliError> {
    let Some(text) = config.secrets_key_text()? else { return Ok(None) };
    let path = config.secrets_key_file.as_deref().unwrap_or(Path::new("")).display();
    let keys = SecretsKeys::parse(&text);
    keys.map(Some).map_err(|why| CliError::usage(format!("secrets_key_file: {path}: {why}")))
}

/// Makes the texts: the built-in ones, and those of `messages_dir`.
fn templates(config: &Config) -> Result<Templates, CliError> {
    let host = config.public_url.as_ref().map(PublicUrl::host);
    let mut templates = Templates::new(&config.messages_service, host);
    if let Some(directory) = &config.messages_dir {
        let refused =
            |path: &Path, why: &str| CliError::usage(format!("messages_dir: {}: {why}", path.display()));
        let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|error| refused(directory, &format!("cannot be read: {error}")))?;
        let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // Editors and version control leave hidden files.
            if name.starts_with('.') {
                continue;
            }
            let text = read(&path).map_err(|why| refused(&path, &why))?;
            templates.replace(&name, &text).map_err(|error| refused(&path, &error.to_string()))?;
        }
    }
    templates.check().map_err(|(name, error)| {
        CliError::usage(format!("messages_dir, messages_service or public_url: {name}: {error}"))
    })?;
    Ok(templates)
}

fn read(path: &Path) -> Result<String, String> {
    let about = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    if !about.is_file() {
        return Err("is no file: remove it".to_owned());
    }
    if about.len() > LONGEST_TEMPLATE as u64 {
        return Err(format!("has {} bytes, and {LONGEST_TEMPLATE} are allowed", about.len()));
    }
    let text = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())
}
