//! What a service learns of a key (RFC 7662).

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::directory::Identity;
use crate::directory::access::{NeedsPermission as _, ReadUsers, stored_scopes};
use crate::directory::model::{Networks, Timestamp};
use crate::http::api::samples;

/// What is known of a key. Of a key that is not valid, `active` is all there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Introspection, example = json!(Introspection::sample()))]
pub struct Introspection {
    /// Is the key valid now?
    pub active: bool,
    /// ID of the owner, as text.
    #[schema(required = false)]
    pub sub: String,
    /// Username of the owner.
    #[schema(required = false)]
    pub username: String,
    /// Always `Token`.
    #[schema(required = false)]
    pub token_type: &'static str,
    /// When the token expires, in seconds since 1970; absent if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub exp: Option<i64>,
    /// When the token was issued, in seconds since 1970.
    #[schema(required = false)]
    pub iat: i64,
    /// ID of the token, as text.
    #[schema(required = false)]
    pub jti: String,
    /// Name of the token.
    #[schema(required = false)]
    pub client_id: String,
    /// Names of the scopes that the token is narrowed to, with a blank between them; absent if it has all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub scope: Option<String>,
    /// ID of the owner.
    #[schema(required = false)]
    pub user_id: i64,
    /// Email of the owner.
    #[schema(required = false)]
    pub email: Option<String>,
    /// IDs of the owner's groups, ascending.
    #[schema(required = false)]
    pub groups: Vec<i64>,
    /// The codes of the permissions that the token can use, own and inherited from groups, ascending.
    #[schema(required = false)]
    pub permissions: Vec<i64>,
    /// Can the owner enter the back office? False if the token has scopes, also if its owner can: a token that was issued for one
    /// thing is no full sign-in.
    #[schema(required = false)]
    pub is_staff: bool,
    /// Is the owner an admin? False if the token has scopes.
    #[schema(required = false)]
    pub is_admin: bool,
    /// Does the token have scopes? Then the service must decide by `permissions` or `scope`, and refuse what neither names.
    #[schema(required = false)]
    pub has_scopes: bool,
    /// Is the token only for reading? Then the service must refuse every request that may change something.
    #[schema(required = false)]
    pub read_only: bool,
    /// The networks that the token may be used from, one of which has `client_address`; null is anywhere. A service that
    /// keeps this response must compare the address of each client.
    #[schema(required = false)]
    pub allowed_networks: Option<Vec<String>>,
}

impl Introspection {
    /// Describes a valid key.
    pub fn new(identity: &Identity) -> Self {
        let (user, token) = (&identity.user, &identity.token);
        let has_scopes = token.narrowing.scopes.is_some();
        Self {
            active: true,
            sub: user.id.to_string(),
            username: user.username.clone(),
            token_type: "Token",
            exp: token.expires_at.map(seconds),
            iat: seconds(token.created_at),
            jti: token.id.to_string(),
            client_id: token.name.clone(),
            scope: identity.effective_scopes().as_ref().map(stored_scopes),
            user_id: user.id.get(),
            email: user.email.clone(),
            groups: user.groups.iter().map(|group| group.get()).collect(),
            permissions: identity.rights.clone(),
            is_staff: user.is_staff && !has_scopes,
            is_admin: user.is_admin && !has_scopes,
            has_scopes,
            read_only: token.narrowing.read_only,
            allowed_networks: token.narrowing.allowed_networks.as_ref().map(Networks::texts),
        }
    }

    fn sample() -> Value {
        json!({
            "active": true, "sub": samples::USER.to_string(), "username": "alex_thompson", "token_type": "Token",
            "exp": 1_788_264_000, "iat": 1_756_728_000, "jti": "7", "client_id": "reports", "user_id": samples::USER,
            "email": "alex.thompson@techcorp.com", "groups": [1, 3, 7], "permissions": [ReadUsers::CODE], "is_staff": true,
            "is_admin": false, "has_scopes": false, "read_only": false, "allowed_networks": null,
        })
    }
}

/// Whole seconds since 1970, rounded down: a service never takes a token for valid after its expiry.
fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}
