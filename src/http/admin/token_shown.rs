//! Tokens as pages of the site show them.

use super::visit::Visit;
use super::words::{When, capitalised, key_ends};
use crate::directory::access::{BUILT_IN, scope_name};
use crate::directory::model::{ListedToken, Scope, Timestamp, Token, TokenKind, TokenState};

/// Scopes of a token that a line names.
const SCOPES_SHOWN: usize = 2;

/// A token or a session as a page shows it.
pub(super) struct ShownToken {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) key: String,
    pub(super) kind: &'static str,
    pub(super) limits: String,
    pub(super) amr: String,
    pub(super) created: When,
    pub(super) last_used: Option<When>,
    pub(super) expires: Option<When>,
}

impl ShownToken {
    pub(super) fn new(token: &Token, now: Timestamp) -> Self {
        Self {
            id: token.id.get(),
            name: token.name.clone(),
            key: key_ends(token),
            kind: token.kind.as_str(),
            limits: limits(token),
            amr: token
                .amr
                .clone()
                .unwrap_or_default()
                .replace("pwd", "password")
                .replace("otp", "one-time code"),
            created: When::of(token.created_at, now),
            last_used: When::maybe(token.last_used_at, now),
            expires: When::maybe(token.expires_at, now),
        }
    }
}

/// Says what a token may do, in one line.
fn limits(token: &Token) -> String {
    let mut said = match scopes_of(token) {
        None => "All that the owner may".to_owned(),
        Some(scopes) => {
            let names: Vec<_> = scopes.iter().take(SCOPES_SHOWN).map(|(_, name)| name.as_str()).collect();
            match scopes.len().saturating_sub(names.len()) {
                0 => names.join(", "),
                more => format!("{} and {more} more", names.join(", ")),
            }
        }
    };
    if token.narrowing.read_only {
        said.push_str(", reading only");
    }
    if token.narrowing.allowed_networks.is_some() {
        said.push_str(", from some networks");
    }
    said
}

/// A token in a list of all tokens.
pub(super) struct ListedTokenRow {
    pub(super) token: ShownToken,
    pub(super) owner_id: i64,
    pub(super) owner: Option<String>,
    /// `active`, `expired` or `revoked`.
    pub(super) state: &'static str,
    pub(super) revoked: Option<When>,
    pub(super) kind: &'static str,
    /// The time is short until it ends.
    pub(super) ends_soon: bool,
    /// Whether it is the session of this browser.
    pub(super) is_current: bool,
}

/// How long before its end a token is marked.
const SOON: std::time::Duration = std::time::Duration::from_hours(7 * 24);

impl ListedTokenRow {
    pub(super) fn new(listed: &ListedToken, visit: &Visit) -> Self {
        let (token, now) = (&listed.token, visit.request.now);
        let state = token.state(now);
        let is_soon = token.expires_at.is_some_and(|end| now.plus(SOON).is_ok_and(|soon| end <= soon));
        Self {
            token: ShownToken::new(token, now),
            owner_id: token.user_id.get(),
            owner: listed.username.clone(),
            state: state.as_str(),
            revoked: When::maybe(token.revoked_at, now),
            kind: kind_words(token.kind),
            ends_soon: state == TokenState::Active && !token.kind.is_sign_in() && is_soon,
            is_current: token.id == visit.identity.token.id,
        }
    }

    /// Whether it can be revoked.
    pub(super) fn can_end(&self) -> bool {
        self.state != "revoked"
    }
}

/// What people call a kind of token.
pub(super) fn kind_words(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Api => "Issued by name",
        TokenKind::SignIn => "Sign-in to the API",
        TokenKind::Imported => "Imported",
        TokenKind::Browser => "Session of this site",
    }
}

/// A scope in words, and its name.
pub(super) fn scope_words(scope: Scope) -> (String, String) {
    let words = match scope {
        Scope::MeRead => "Read the record and the tokens of its owner".to_owned(),
        Scope::MeWrite => "Change the record, the password and the tokens of its owner".to_owned(),
        Scope::Permission(code) => match BUILT_IN.iter().find(|known| known.code == code) {
            Some(known) => capitalised(known.allows),
            None => format!("What the permission {code} means for other services"),
        },
    };
    (words, scope_name(scope))
}

/// The scopes of a token in words; `None` for all that its owner may.
pub(super) fn scopes_of(token: &Token) -> Option<Vec<(String, String)>> {
    token.narrowing.scopes.as_ref().map(|scopes| scopes.iter().map(scope_words).collect())
}

/// The networks of a token; none for anywhere.
pub(super) fn networks_of(token: &Token) -> Vec<String> {
    token.narrowing.allowed_networks.as_ref().map(|networks| networks.texts()).unwrap_or_default()
}
