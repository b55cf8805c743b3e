//! The settings of an account database and of the rules that its use cases follow.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::Clock;
use super::messages::Templates;
use super::model::{Locale, Rates};
use super::secrets_key::SecretsKeys;
use crate::database::Location;

/// The settings that opening an account database needs.
#[derive(Clone)]
pub struct Settings {
    /// Where it is kept.
    pub location: Location,
    /// The most connections of this process to PostgreSQL.
    pub connections: usize,
    /// How long one statement may wait for the database.
    pub timeout: Duration,
    /// The shortest password that is accepted, in Unicode code points.
    pub password_min_length: usize,
    /// Words on which a new password may not be built.
    pub password_words: Vec<String>,
    /// How long a token lives that a sign-in makes.
    pub sign_in_lifetime: Duration,
    /// How long such a token may go unused; zero means without limit.
    pub sign_in_idle_timeout: Duration,
    /// How long revoked and expired tokens stay listed.
    pub keep_ended_tokens_for: Duration,
    /// How long deleted users and groups can be restored; zero removes them permanently at once.
    pub keep_deleted_for: Duration,
    /// Whether a person's own e-mail address and mobile number change only with their password.
    pub contact_needs_password: bool,
    /// The limits on requests.
    pub rates: Rates,
    /// The most bytes of identities kept in memory; zero keeps none.
    pub identity_cache_bytes: u64,
    /// How long cached identities are answered while the database is unavailable.
    pub serve_stale_for: Duration,
    /// The messages to people.
    pub messages: MessageSettings,
    /// Links that are mailed to people, and notices.
    pub links: LinkSettings,
}

/// The settings of links that are mailed to people, and of notices about their accounts.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// What the URL of a link begins with, without a slash at its end; `None` if there are no links.
    pub base: Option<String>,
    /// How long an invitation can be used.
    pub invitation_lifetime: Duration,
    /// Whether people may ask for a link when they have forgotten their password.
    pub password_reset: bool,
    /// How long such a link can be used.
    pub password_reset_lifetime: Duration,
    /// How many such links one account gets in an hour.
    pub resets_per_account: u32,
    /// How many such links one client gets in an hour, for all accounts.
    pub resets_per_client: u32,
    /// How long an e-mail address must have been the same before it gets such a link.
    pub contact_settle: Duration,
    /// Whether people get a notice when their password, e-mail address or mobile number was changed.
    pub change_notices: bool,
    /// Whether people get a notice after a sign-in from a new network.
    pub network_notices: bool,
}

/// Without a base there are no links.
impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            base: None,
            invitation_lifetime: Duration::from_hours(7 * 24),
            password_reset: true,
            password_reset_lifetime: Duration::from_mins(30),
            resets_per_account: 5,
            resets_per_client: 20,
            contact_settle: Duration::from_hours(24),
            change_notices: true,
            network_notices: true,
        }
    }
}

/// The settings of messages to people. By default none can be sent.
#[derive(Clone, Debug, Default)]
pub struct MessageSettings {
    /// The keys that encrypt messages; `None` if there are none.
    pub keys: Option<Arc<SecretsKeys>>,
    /// Why there are no keys, or why no message can be sent, if the reason is not that nothing was set.
    pub fault: Option<String>,
    /// Whether a provider sends text messages.
    pub sms: bool,
    /// Whether a provider sends mails.
    pub mail: bool,
    /// The texts.
    pub templates: Arc<Templates>,
    /// The language of messages to people whose own is not known.
    pub locale: Locale,
    /// How many messages may wait.
    pub most_waiting: u32,
    /// How long the outcome of a message stays listed.
    pub keep_outcomes_for: Duration,
}

/// The settings that decide what a change may do. Work that follows none, such as an import, uses the default.
#[derive(Clone, Default)]
pub(super) struct ChangePolicy {
    /// How long deleted users and groups can be restored; zero removes them permanently at once.
    pub(super) keep_deleted_for: Duration,
    /// Whether a person's own e-mail address and mobile number change only with their password.
    pub(super) contact_needs_password: bool,
    /// What putting a message into the outbox needs.
    pub(super) outbox: Option<OutboxPolicy>,
    /// Links that are mailed to people, and notices.
    pub(super) links: Arc<LinkSettings>,
}

/// What putting a message into the outbox needs.
#[derive(Clone)]
pub(super) struct OutboxPolicy {
    /// The settings.
    pub(super) settings: MessageSettings,
    /// The clock, for ids.
    pub(super) clock: Clock,
    /// Wakes the job that sends messages.
    pub(super) wake: Arc<Notify>,
}

impl OutboxPolicy {
    /// Makes the policy of an account database.
    pub(super) fn new(settings: &MessageSettings, clock: &Clock) -> Self {
        Self { settings: settings.clone(), clock: clock.clone(), wake: Arc::default() }
    }
}
