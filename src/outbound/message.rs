//! A message on its way out, and why a provider did not take it.

use std::fmt;
use std::time::Duration;

/// A message for a provider. It names no user.
#[derive(Clone)]
pub struct OutgoingMessage {
    /// The same over all attempts.
    pub id: String,
    /// What it is for, such as `code`.
    pub kind: &'static str,
    /// `sms` or `mail`.
    pub channel: &'static str,
    /// A number in the form of E.164, or a mail address.
    pub to: String,
    /// The subject of a mail.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The code in the text.
    pub code: Option<String>,
    /// The language of the text, such as `en`.
    pub locale: &'static str,
    /// When it expires, in RFC 3339.
    pub expires_at: String,
    /// The time of this attempt, in seconds since the Unix epoch.
    pub sent_at: u64,
}

/// Text and address stay out of logs.
impl fmt::Debug for OutgoingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMessage")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Why a provider did not take a message. The texts contain nothing that the provider wrote, except numbers: it may repeat
/// the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may take it later, at the earliest after the given time.
    #[error("{why}")]
    Later {
        /// What failed.
        why: String,
        /// The time that the provider asks for.
        after: Option<Duration>,
    },
    /// It will never take it.
    #[error("{0}")]
    Refused(String),
}

impl SendError {
    /// It may be taken later.
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), after: None }
    }
}
