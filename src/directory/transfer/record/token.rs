//! The row that a token's record describes.

use std::time::Duration;

use super::{EndedTokenRecord, Nullable, TokenRecord, nullable};
use crate::directory::access::parse_scope;
use crate::directory::model::stored::{StoredEndedToken, StoredToken};
use crate::directory::model::{
    KeptDigest, Maker, Narrowing, Networks, Scopes, Timestamp, Token, TokenId, TokenKey, TokenKind, UserId,
    Violation, parse_network,
};

/// The lifetime of a sign-in's token that is imported without an expiry.
const SIGN_IN_LIFETIME: Duration = Duration::from_hours(12);

impl TokenRecord {
    /// Returns the digest that identifies the token.
    pub(in crate::directory::transfer) fn kept_digest(&self) -> Result<KeptDigest, Violation> {
        let wrong = |message: &str| Err(Violation::Other(message.to_owned()));
        match (&self.key, &self.digest) {
            (Some(key), None) if key.is_empty() || key.len() > 256 => wrong("A key has 1 to 256 bytes."),
            (Some(key), None) => Ok(KeptDigest::Sha256(TokenKey::imported(key.clone()).digest())),
            (None, Some(hex)) => read_digest(hex),
            _ => wrong("Give either the key or the digest."),
        }
    }

    /// Iterates over every text of the record that is stored as it is.
    pub(in crate::directory::transfer) fn texts(&self) -> impl Iterator<Item = &String> {
        let plain = [&self.name, &self.prefix, &self.last_four];
        plain.into_iter().flatten().chain(self.last_used_from.iter().flatten())
    }

    /// Returns the row that the record describes, where `old` is the present one. Without one, `ended` is what ended the token
    /// here before its row was deleted.
    pub(in crate::directory::transfer) fn to_row(
        &self,
        owner: UserId,
        digest: KeptDigest,
        old: Option<&StoredToken>,
        ended: Option<&StoredEndedToken>,
        now: Timestamp,
    ) -> Result<StoredToken, Violation> {
        let kept = old.map(|old| &old.token);
        let kind = match &self.kind {
            Some(kind) => Some(TokenKind::from_stored(kind).ok_or_else(|| Violation::Choice(kind.clone()))?),
            None => kept.map(|kept| kept.kind),
        };
        let kind = kind.unwrap_or(TokenKind::Imported);
        let (made_by, root) = self.descent(kind, &digest, kept)?;
        let (prefix, last_four) = self.ends(&digest, kept);
        let created_at = self.created_at.or(kept.map(|kept| kept.created_at)).unwrap_or(now);
        let expires_at = nullable(&self.expires_at, kept.map(|kept| &kept.expires_at));
        let ends_by = earliest(self.ends_by.flatten(), old.and_then(|old| old.ends_by));
        let ends_by = earliest(ends_by, ended.and_then(|ended| ended.ends_by));
        // An expiry that was set here is never moved to a later time.
        let expires_at = earliest(expires_at, ends_by);
        let revoked_at = nullable(&self.revoked_at, kept.map(|kept| &kept.revoked_at));
        let revoked_here = kept.and_then(|kept| kept.revoked_at).or(ended.and_then(|ended| ended.revoked_at));
        let token = Token {
            id: kept
                .map(|kept| kept.id)
                .or(self.id.and_then(|id| id.try_into().ok()))
                .unwrap_or(TokenId::UNSAVED),
            user_id: owner,
            name: self.name.clone().or(kept.map(|kept| kept.name.clone())).unwrap_or_default(),
            kind,
            prefix,
            last_four,
            created_at,
            // The token of a sign-in expires, whatever the source says.
            expires_at: match (kind, expires_at) {
                (kind, None) if kind.is_sign_in() => Some(created_at.plus(SIGN_IN_LIFETIME)?),
                (_, end) => end,
            },
            // A token that was revoked here stays revoked.
            revoked_at: revoked_here.or(revoked_at),
            last_used_at: nullable(&self.last_used_at, kept.map(|kept| &kept.last_used_at)),
            made_by,
            root,
            narrowing: self.narrowing(kept.map(|kept| &kept.narrowing))?,
            amr: kept.and_then(|kept| kept.amr.clone()),
            idle_limit: None,
        };
        let last_used_from = nullable(&self.last_used_from, old.map(|old| &old.last_used_from));
        Ok(StoredToken { token, digest, last_used_from, ends_by })
    }

    /// Returns what the token is narrowed to. A token that was narrowed here is not widened.
    pub(in crate::directory::transfer) fn narrowing(
        &self,
        kept: Option<&Narrowing>,
    ) -> Result<Narrowing, Violation> {
        let kept = kept.cloned().unwrap_or_default();
        let scopes: Option<Scopes> = read_list(&self.scopes, parse_scope)?;
        let networks: Option<Networks> = read_list(&self.allowed_networks, parse_network)?;
        Ok(Narrowing {
            scopes: match (scopes, kept.scopes) {
                (Some(given), Some(kept)) => {
                    Some(Scopes::from_iter(kept.iter().filter(|scope| given.contains(*scope))))
                }
                (given, kept) => given.or(kept),
            },
            read_only: kept.read_only || self.read_only.unwrap_or(false),
            allowed_networks: match (networks, kept.allowed_networks) {
                (Some(given), Some(kept)) if given.first_outside(&kept).is_some() => Some(kept),
                (given, kept) => given.or(kept),
            },
        })
    }

    /// Returns what issued the token, and the sign-in that it descends from.
    fn descent(
        &self,
        kind: TokenKind,
        digest: &KeptDigest,
        kept: Option<&Token>,
    ) -> Result<(Maker, Option<KeptDigest>), Violation> {
        let made_by = match &self.made_by {
            Some(maker) => Maker::from_stored(maker).ok_or_else(|| Violation::Choice(maker.clone()))?,
            None => match (kept, kind) {
                (Some(kept), _) => kept.made_by,
                (None, TokenKind::SignIn | TokenKind::Browser) => Maker::SignIn,
                // Old exports do not state it.
                (None, TokenKind::Api) => Maker::Unknown,
                (None, TokenKind::Imported) => Maker::Import,
            },
        };
        let unreadable = || Violation::Other("A root is the digest of a token.".to_owned());
        let read = |hex: &String| KeptDigest::from_hex(hex).ok_or_else(unreadable);
        let given = self.root.as_ref().map(|root| root.as_ref().map(read).transpose()).transpose()?;
        let root = given.unwrap_or_else(|| kept.and_then(|kept| kept.root.clone()));
        Ok((made_by, root.or_else(|| kind.is_sign_in().then(|| digest.clone()))))
    }

    /// Returns the parts of the key that lists show: of a key that Wardroom has exported, what its own lists show; of
    /// other keys less, because their length is not known.
    fn ends(&self, digest: &KeptDigest, kept: Option<&Token>) -> (String, String) {
        if let Some(key) = self.key.clone().map(TokenKey::imported) {
            return (key.prefix(), key.last_four());
        }
        let text = |given: &Option<String>, kept: Option<&String>, most: usize| {
            let text = given.as_ref().or(kept).map(String::as_str).unwrap_or_default();
            text.chars().take(most).collect::<String>()
        };
        let (prefix, last) = (kept.map(|kept| &kept.prefix), kept.map(|kept| &kept.last_four));
        let is_known = self.made_by.is_some()
            || matches!(digest, KeptDigest::Sha512(_))
            || self.prefix.as_ref().or(self.last_four.as_ref()).is_none_or(|shown| shown.starts_with("wrd_"));
        match is_known {
            true => (text(&self.prefix, prefix, 8), text(&self.last_four, last, 4)),
            false => (text(&self.prefix, prefix, 2), String::new()),
        }
    }
}

impl EndedTokenRecord {
    /// Returns the row that the record describes.
    pub(in crate::directory::transfer) fn to_row(&self) -> Result<StoredEndedToken, Violation> {
        if self.revoked_at.is_none() && self.ends_by.is_none() {
            return Err(Violation::Other("Give revoked_at or ends_by.".to_owned()));
        }
        let digest = read_digest(&self.digest)?;
        Ok(StoredEndedToken { digest, revoked_at: self.revoked_at, ends_by: self.ends_by })
    }
}

impl From<StoredEndedToken> for EndedTokenRecord {
    fn from(StoredEndedToken { digest, revoked_at, ends_by }: StoredEndedToken) -> Self {
        Self { digest: format!("{digest:x}"), revoked_at, ends_by }
    }
}

impl StoredEndedToken {
    /// Adds what another record or row knows of the same token.
    pub(in crate::directory::transfer) fn merge(&mut self, other: &Self) {
        self.revoked_at = earliest(self.revoked_at, other.revoked_at);
        self.ends_by = earliest(self.ends_by, other.ends_by);
    }
}

fn read_digest(hex: &str) -> Result<KeptDigest, Violation> {
    KeptDigest::from_hex(hex).ok_or_else(|| {
        Violation::Other("A digest is 64 hexadecimal digits of SHA-256, or 128 of SHA-512.".to_owned())
    })
}

/// Parses a list that may be null or left out.
fn read_list<T, C: FromIterator<T>>(
    given: &Nullable<Vec<String>>,
    parse: impl Fn(&str) -> Result<T, Violation>,
) -> Result<Option<C>, Violation> {
    let texts = given.as_ref().and_then(Option::as_ref);
    texts.map(|texts| texts.iter().map(|text| parse(text)).collect()).transpose()
}

/// Returns the earlier of two times, of which `None` is later than any.
fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
