//! Tokens on the wire.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;

use crate::directory::access::scope_list;
use crate::directory::model::{ListedToken, Networks, Timestamp, Token};
use crate::directory::tokens::TokenWithKey;
use crate::http::api::bodies::choices;
use crate::http::api::samples;

pub(super) fn kinds() -> Object {
    choices(
        "What the token is for; an imported one was issued elsewhere.",
        ["api", "sign_in", "imported", "browser"],
    )
}

fn states() -> Object {
    choices("Whether it is accepted now, and if not, why.", ["active", "expired", "revoked"])
}

fn makers() -> Object {
    choices(
        "How it was made: by a sign-in, with a token, by an operator, or by an import; `unknown` for a token from before \
         version 0.2.",
        ["sign_in", "token", "operator", "import", "unknown"],
    )
}

/// A token, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(TokenItem::sample()))]
pub struct TokenItem {
    /// Unique ID of the token.
    pub id: i64,
    /// The owner's name for it.
    pub name: String,
    /// What the token is for; an imported one was issued elsewhere.
    #[schema(schema_with = kinds)]
    pub kind: &'static str,
    /// The first characters of the key.
    pub prefix: String,
    /// The last four characters of the key; fewer or none for a short key that was imported.
    pub last_four: String,
    /// Whether it is accepted now, and if not, why.
    #[schema(schema_with = states)]
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
    /// How it was made: by a sign-in, with a token, by an operator, or by an import; `unknown` for a token from before
    /// version 0.2.
    #[schema(schema_with = makers)]
    pub made_by: &'static str,
    /// Whether it is the token of a sign-in or is derived from one, and ends with it.
    pub of_sign_in: bool,
    /// What its owner may do with it: `me_read`, `me_write`, names of built-in permissions and codes of others. Null is
    /// everything that its owner may do.
    #[schema(required)]
    pub scopes: Option<Vec<String>>,
    /// Can it only read?
    pub read_only: bool,
    /// The networks that it may be used from, in CIDR notation; null is anywhere.
    #[schema(required)]
    pub allowed_networks: Option<Vec<String>>,
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
        "scopes",
        "read_only",
        "allowed_networks",
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
            scopes: token.narrowing.scopes.as_ref().map(scope_list),
            read_only: token.narrowing.read_only,
            allowed_networks: token.narrowing.allowed_networks.as_ref().map(Networks::texts),
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
            scopes: Some(vec!["me_read".into(), "user_read".into()]),
            read_only: true,
            allowed_networks: Some(vec!["192.0.2.0/24".into()]),
        }
    }
}

/// A token just issued, with its key, which is shown only this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!(IssuedToken::sample()))]
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
    /// The example of the documentation.
    pub fn sample() -> Self {
        Self { key: samples::KEY.into(), token: TokenItem::sample() }
    }
}

/// A token with its owner, without its key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!(OwnedTokenItem::sample()))]
pub struct OwnedTokenItem {
    /// ID of the owner.
    pub user_id: i64,
    /// Username of the owner; null for a caller who may not read users.
    #[schema(required)]
    pub username: Option<String>,
    /// The token.
    #[serde(flatten)]
    pub token: TokenItem,
}

impl OwnedTokenItem {
    /// The names of its fields, in the order they are written.
    pub const FIELDS: &'static [&'static str] = &[
        "user_id",
        "username",
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
        "scopes",
        "read_only",
        "allowed_networks",
    ];

    /// Shows a token as of `now`.
    pub fn new(listed: &ListedToken, now: Timestamp) -> Self {
        Self {
            user_id: listed.token.user_id.get(),
            username: listed.username.clone(),
            token: TokenItem::new(&listed.token, now),
        }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self { user_id: 42, username: Some("alex_thompson".into()), token: TokenItem::sample() }
    }
}

/// A token that replaces another one, with its key, which is shown only this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!(RotatedToken::sample()))]
pub struct RotatedToken {
    /// ID of the owner.
    pub user_id: i64,
    /// The new token.
    #[serde(flatten)]
    pub issued: IssuedToken,
}

impl RotatedToken {
    /// Shows a token just issued.
    pub fn new(issued: &TokenWithKey, now: Timestamp) -> Self {
        Self { user_id: issued.token.user_id.get(), issued: IssuedToken::new(issued, now) }
    }

    /// The example of the documentation.
    pub fn sample() -> Self {
        Self { user_id: 42, issued: IssuedToken::sample() }
    }
}
