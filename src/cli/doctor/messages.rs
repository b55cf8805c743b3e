//! Whether messages can be sent, and whether they are.

use std::time::Duration;

use super::finding::{Finding, failed, fault, good, span, warning};
use crate::cli::messages::message_settings;
use crate::config::Config;
use crate::directory::Directory;

const CHECK: &str = "messages";
/// A message that waits for longer is a sign of a provider that is down, or of no running server.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Checks the settings with their files; nothing if no message is to be sent.
pub(super) fn check_settings(config: &Config) -> Option<Finding> {
    if !config.sends_messages() && config.secrets_key_file.is_none() {
        return None;
    }
    let settings = match message_settings(config) {
        Ok(settings) => settings,
        Err(error) => return Some(fault(CHECK, error.into_message())),
    };
    if let Err(error) = config.provider_secrets() {
        return Some(fault(CHECK, error.to_string()));
    }
    if !config.sends_messages() {
        let text =
            "there is a secrets key and no provider: set sms_provider or mail_provider to send messages";
        return Some(warning(CHECK, text));
    }
    if settings.mail && config.password_reset && (config.public_url.is_none() || !config.admin_site) {
        let text = "no link can be mailed, so no one can be invited or set a forgotten password: set public_url, which links \
                    begin with, and admin_site, which has their page; or switch password_reset off";
        return Some(warning(CHECK, text));
    }
    let ways: Vec<_> = [("text messages", settings.sms), ("mails", settings.mail)]
        .into_iter()
        .filter_map(|(way, is_on)| is_on.then_some(way))
        .collect();
    Some(good(CHECK, format!("{} can be sent; the secrets key and all texts are there", ways.join(" and "))))
}

/// Checks what waits, and what was given up.
pub(super) async fn check_outbox(directory: &Directory) -> Option<Finding> {
    let counts = match directory.count_messages().await {
        Ok(counts) => counts,
        Err(error) => return Some(failed(CHECK, &error)),
    };
    let waiting: i64 = counts.iter().map(|count| count.waiting).sum();
    let dead: i64 = counts.iter().map(|count| count.dead).sum();
    let oldest = counts.iter().filter_map(|count| count.oldest).min();
    let age =
        oldest.map_or(0, |oldest| directory.clock().now().as_micros().saturating_sub(oldest.as_micros()));
    let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
    let settings = directory.message_settings();
    let most = i64::from(settings.most_waiting);
    if waiting > 0 && settings.keys.is_none() {
        return Some(fault(
            CHECK,
            format!("{waiting} messages wait, and there is no secrets key to read them with"),
        ));
    }
    if most > 0 && waiting >= most {
        return Some(fault(CHECK, format!("the outbox is full: {waiting} messages wait (outbox_limit)")));
    }
    if age > LONGEST_WAIT {
        let text = format!(
            "{waiting} messages wait, the oldest for {}: look at `wardroom outbox list --state queued`, the provider and the log \
             of the server",
            span(age)
        );
        return Some(warning(CHECK, text));
    }
    (dead > 0).then(|| {
        let text = format!(
            "{dead} messages were given up or expired in the last days: look at `wardroom outbox list --state failed`, then \
             `wardroom outbox retry --failed`"
        );
        warning(CHECK, text)
    })
}
