//! A message to a person: by SMS or mail, in a language, with the state of its delivery.
//!
//! Never in here: the text of a message, or how it is sent.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::text::Violation;
use super::{Timestamp, UserId};

/// Defines an enumeration whose values have names in the database, in metrics and on the command line.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])+ $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Parses a name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ();
            fn try_from(name: String) -> Result<Self, ()> {
                Self::from_name(&name).ok_or(())
            }
        }
    };
}

named! {
    /// The way that a message takes.
    Channel {
        /// A text message to a telephone number.
        Sms = "sms",
        /// A mail to an address.
        Mail = "mail",
    }
}

named! {
    /// What a message is for.
    MessageKind {
        /// A code for signing in.
        Code = "code",
        /// A link for a new user, who sets a password with it.
        Invitation = "invitation",
        /// A link for a user who has forgotten the password.
        PasswordReset = "password_reset",
        /// A notice about a change of an account.
        Notice = "notice",
    }
}

named! {
    /// The language of a message.
    Locale {
        /// English.
        English = "en",
        /// Persian, which is written from right to left.
        Persian = "fa",
    }
}

named! {
    /// What has happened to a message.
    DeliveryState {
        /// It waits for its first or next attempt.
        Queued = "queued",
        /// A server has taken it to send it.
        Sending = "sending",
        /// The provider took it.
        Sent = "sent",
        /// It was given up after a refusal, or after the last attempt.
        Failed = "failed",
        /// Its time ended before it could be sent.
        Expired = "expired",
        /// An operator or a later message withdrew it.
        Dropped = "dropped",
    }
}

/// The language of a service that names none.
impl Default for Locale {
    fn default() -> Self {
        Self::English
    }
}

impl DeliveryState {
    /// Whether the message may still be sent.
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Sending)
    }
}

/// A message that is put into the outbox.
#[derive(Clone)]
pub struct NewMessage {
    /// What it is for.
    pub kind: MessageKind,
    /// The way that it takes.
    pub channel: Channel,
    /// The number in the form of E.164, or the e-mail address.
    pub to: String,
    /// The user that it is for.
    pub user: Option<UserId>,
    /// The subject of a mail.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The code in the text, for a provider that makes a text of its own.
    pub code: Option<String>,
    /// The language of the text.
    pub locale: Locale,
    /// It is not sent after this time.
    pub expires_at: Timestamp,
}

/// Text and address stay out of logs.
impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, channel, user, expires_at, .. } = self;
        f.debug_struct("NewMessage")
            .field("kind", kind)
            .field("channel", channel)
            .field("user", user)
            .field("expires_at", expires_at)
            .finish_non_exhaustive()
    }
}

/// The id of a message, the same over all attempts: `msg_` and 26 characters of Crockford's base 32. It is in the header
/// `webhook-id` and in the Message-ID of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(String);

const ID_PREFIX: &str = "msg_";
const ID_ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl DeliveryId {
    /// Makes an id of 16 random bytes.
    pub fn of_random(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes);
        let digits = (0..26_u32).rev().map(|place| {
            let digit = usize::try_from((number >> (place * 5)) & 31).unwrap_or(0);
            char::from(*ID_ALPHABET.get(digit).unwrap_or(&b'0'))
        });
        Self(ID_PREFIX.chars().chain(digits).collect())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DeliveryId {
    type Err = Violation;
    fn from_str(raw: &str) -> Result<Self, Violation> {
        let is_good = raw
            .strip_prefix(ID_PREFIX)
            .is_some_and(|rest| rest.len() == 26 && rest.bytes().all(|byte| ID_ALPHABET.contains(&byte)));
        let hint = "A message id is msg_ and 26 letters and digits.";
        if is_good { Ok(Self(raw.to_owned())) } else { Err(Violation::Other(hint.to_owned())) }
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = Violation;
    fn try_from(raw: String) -> Result<Self, Violation> {
        raw.parse()
    }
}

/// A message in the outbox, as it is listed: without its text and its whole address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// What it is for.
    pub kind: MessageKind,
    /// The way that it takes.
    pub channel: Channel,
    /// The address, of which a few characters are shown.
    pub target: String,
    /// The id of the user that it is for.
    pub user: Option<UserId>,
    /// What has happened to it.
    pub state: DeliveryState,
    /// When it was put into the outbox.
    pub created_at: Timestamp,
    /// It is not sent after this time.
    pub expires_at: Timestamp,
    /// When the next attempt is due; while it is being sent, when another server may take it over.
    pub next_at: Timestamp,
    /// How many attempts have begun.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When its state became final.
    pub finished_at: Option<Timestamp>,
}

/// Narrows a list of messages. All given conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only messages in this state.
    pub state: Option<DeliveryState>,
    /// Only messages of this kind.
    pub kind: Option<MessageKind>,
    /// Only messages for this user.
    pub user: Option<UserId>,
}

/// What a server has to send.
#[derive(Clone)]
pub struct LeasedMessage {
    /// The id.
    pub id: DeliveryId,
    /// Which attempt it is, from 1.
    pub attempt: i64,
    /// The message.
    pub message: NewMessage,
    /// How long it may be sent from now on: until it expires, or another server may take it over.
    pub valid_for: Duration,
    /// Marks this attempt. A server that has lost the message to another one cannot change its state.
    pub(in crate::directory) lease: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The provider took the message.
    Sent,
    /// The message may be taken later, at the earliest after the given time.
    Later(String, Option<std::time::Duration>),
    /// The provider will never take the message.
    Refused(String),
}

/// What an attempt made of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEffect {
    /// It was sent.
    Sent,
    /// It is tried again later.
    Retried,
    /// It was given up.
    Failed,
    /// Its time ended.
    Expired,
    /// Another server has taken it over, or an operator dropped it: nothing was changed.
    Lost,
}

/// How many messages of a kind wait, and how many were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxCount {
    /// What they are for.
    pub kind: MessageKind,
    /// The way that they take.
    pub channel: Channel,
    /// Messages that may still be sent.
    pub waiting: i64,
    /// Messages that failed or expired, and are still listed.
    pub dead: i64,
    /// When the oldest waiting one was put into the outbox.
    pub oldest: Option<Timestamp>,
}

/// Returns an address of which a few characters are shown: `+98********67`, `a***@example.com`.
pub fn masked(to: &str) -> String {
    let stars = |hidden: usize| "*".repeat(hidden.min(12));
    if let Some((name, domain)) = to.rsplit_once('@') {
        let first: String = name.chars().take(1).collect();
        return format!("{first}***@{domain}");
    }
    let length = to.chars().count();
    let (head, tail) = if length >= 8 { (3, 2) } else { (1, 0) };
    let start: String = to.chars().take(head).collect();
    let end: String = to.chars().skip(length.saturating_sub(tail)).collect();
    format!("{start}{}{end}", stars(length.saturating_sub(head + tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_msg_and_26_characters() {
        assert_eq!(DeliveryId::of_random([0; 16]).as_str(), "msg_00000000000000000000000000");
        let id = DeliveryId::of_random([255; 16]);
        assert_eq!(id.as_str(), "msg_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(id.as_str().parse::<DeliveryId>().unwrap(), id);
        for wrong in [
            "",
            "msg_",
            "msg_0",
            "7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "msg_7zzzzzzzzzzzzzzzzzzzzzzzzi",
            "msg_7zzzzzzzzzzzzzzzzzzzzzzzz\n",
        ] {
            assert!(wrong.parse::<DeliveryId>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_masked_address_shows_a_few_characters() {
        for (to, shown) in [
            ("+989121234567", "+98********67"),
            ("+491", "+***"),
            ("ada@example.com", "a***@example.com"),
            ("@", "***@"),
            ("", ""),
            ("\"a@b\"@example.com", "\"***@example.com"),
        ] {
            assert_eq!(masked(to), shown);
        }
    }
}
