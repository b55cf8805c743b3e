//! Tokens on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::model::{Timestamp, Token};
use crate::directory::tokens::TokenWithKey;

/// A token, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(TokenItem::sample()))]
pub struct TokenItem {
    /// Unique ID of the token.
    pub id: i64,
    /// The owner's name for it.
    pub name: String,
    /// `api`, `sign_in` or `imported`.
    pub kind: &'static str,
    /// The first characters of the key.
    pub prefix: String,
    /// The last four characters of the key; fewer or none for a short key that was imported.
    pub last_four: String,
    /// `active`, `expired` or `revoked`.
    pub state: &'static str,
    /// When it was issued.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it expires; null is never.
    #[schema(required, format = DateTime)]
    pub expires_at: Option<String>,
    /// When it was revoked; null if it was not.
    #[schema(required, format = DateTime)]
    pub revoked_at: Option<String>,
    /// When it was last used; null until that is recorded.
    #[schema(required, format = DateTime)]
    pub last_used_at: Option<String>,
    /// How it was made: `sign_in`, `token`, `operator`, `import`, or `unknown` for a token from before version 0.2.
    pub made_by: &'static str,
    /// Whether it is the token of a sign-in or came of one, and ends with it.
    pub of_sign_in: bool,
}

impl TokenItem {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] = &[
        "id",
        "name",
        "kind",
        "prefix",
        "last_four",
        "state",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "made_by",
        "of_sign_in",
    ];

    /// Shows a token as of `now`.
    pub fn new(token: &Token, now: Timestamp) -> Self {
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: token.id.get(),
            name: token.name.clone(),
            kind: token.kind.as_str(),
            prefix: token.prefix.clone(),
            last_four: token.last_four.clone(),
            state: token.state(now).as_str(),
            created_at: token.created_at.to_string(),
            expires_at: text(token.expires_at),
            revoked_at: text(token.revoked_at),
            last_used_at: text(token.last_used_at),
            made_by: token.made_by.as_str(),
            of_sign_in: token.root.is_some(),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self {
            id: 7,
            name: "laptop".into(),
            kind: "api",
            prefix: "wrd_1vko".into(),
            last_four: "FINE".into(),
            state: "active",
            created_at: "2025-08-06T14:23:45.123456Z".into(),
            expires_at: Some("2025-11-04T14:23:45.123456Z".into()),
            revoked_at: None,
            last_used_at: None,
            made_by: "token",
            of_sign_in: false,
        }
    }
}

/// A token just issued, with its key, which is shown only this once.
#[derive(Serialize, ToSchema)]
pub struct IssuedToken {
    /// The key, for `Authorization: Token <key>`.
    pub key: String,
    /// The token as lists show it.
    #[serde(flatten)]
    pub token: TokenItem,
}

impl IssuedToken {
    /// Shows a token just issued.
    pub fn new(issued: &TokenWithKey, now: Timestamp) -> Self {
        Self { key: issued.key.reveal().to_owned(), token: TokenItem::new(&issued.token, now) }
    }
}
