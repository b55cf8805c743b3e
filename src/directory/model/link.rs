//! A link that is mailed to a user, who sets a password with it: its kind, the key in it, and its state.
//!
//! The key is 32 random bytes, so that it needs no slow hash, in base64 for URLs. Only its SHA-256 is stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Timestamp, UserId};

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A new user sets the first password.
    Invitation,
    /// A user has forgotten the password.
    PasswordReset,
}

impl LinkKind {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::PasswordReset => "password_reset",
        }
    }
}

impl TryFrom<String> for LinkKind {
    type Error = ();
    fn try_from(name: String) -> Result<Self, ()> {
        [Self::Invitation, Self::PasswordReset].into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// How many characters a key has.
const KEY_LENGTH: usize = 43;

/// The key of a link. It is in one message, never stored, and does not print itself.
#[derive(Clone)]
pub struct LinkKey(Zeroizing<String>);

impl LinkKey {
    /// Makes a key of random bytes.
    pub fn of_random(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads a key that was sent. `None` if no link has a key of this form.
    pub fn parse(sent: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let has_form = sent.len() == KEY_LENGTH && sent.bytes().all(is_digit);
        has_form.then(|| Self(Zeroizing::new(sent.to_owned())))
    }

    /// Returns the key itself, for the message.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the digest that is stored.
    pub fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(***)")
    }
}

/// What has become of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It can be used.
    Pending,
    /// It was used.
    Used,
    /// It was revoked, or the password, the e-mail address or the activity of its user was changed.
    Ended,
    /// Its time is over.
    Expired,
}

impl LinkState {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Used => "used",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

/// A link that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentLink {
    /// The user that it was sent to.
    pub user: UserId,
    /// What it is for.
    pub kind: LinkKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The name of the operator or person who sent it; empty if the user asked for it.
    pub made_by: String,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// When it was revoked, or ended by a change of its user.
    pub ended_at: Option<Timestamp>,
}

impl SentLink {
    /// Returns what has become of it.
    pub fn state(&self, now: Timestamp) -> LinkState {
        match (self.used_at, self.ended_at) {
            (Some(_), _) => LinkState::Used,
            (None, Some(_)) => LinkState::Ended,
            (None, None) if self.expires_at <= now => LinkState::Expired,
            (None, None) => LinkState::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_43_characters_and_does_not_print_itself() {
        let key = LinkKey::of_random(&[255; 32]);
        assert_eq!(key.reveal(), "__________________________________________8");
        assert_eq!(format!("{key:?}"), "LinkKey(***)");
        let read = LinkKey::parse(key.reveal()).unwrap();
        assert_eq!((read.digest(), read.digest().len()), (key.digest(), 32));
        let long = "a".repeat(44);
        for wrong in ["", "a", &long, &long[..42], &format!("{}/", &long[..42]), &format!("{}é", &long[..41])]
        {
            assert!(LinkKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
