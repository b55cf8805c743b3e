//! What the caller can ask for about themselves by name: their rights, and the token that they sent.

use serde::Serialize;
use utoipa::ToSchema;

use super::Me;
use super::tokens::kinds;
use crate::directory::Identity;
use crate::directory::access::scope_list;
use crate::directory::model::Networks;
use crate::http::site::Site;

/// The currently authenticated user. The last five fields are shown only if `fields` names them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me, example = json!(Me::sample()))]
pub struct MeDetail {
    /// What is shown without names.
    #[serde(flatten)]
    pub me: Me,
    /// Can the user enter the back office?
    #[schema(required = false)]
    pub is_staff: bool,
    /// Does the user have all rights?
    #[schema(required = false)]
    pub is_admin: bool,
    /// Can the user authenticate?
    #[schema(required = false)]
    pub is_active: bool,
    /// The codes of the user's permissions, own and inherited from groups, ascending.
    #[schema(required = false)]
    pub permissions: Vec<i64>,
    /// The token that was sent.
    #[schema(required = false)]
    pub token: CallingToken,
}

/// The calling token, without its key.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallingToken {
    /// Unique ID of the token.
    pub id: i64,
    /// The owner's name for it.
    pub name: String,
    /// What the token is for; an imported one was issued elsewhere.
    #[schema(schema_with = kinds)]
    pub kind: &'static str,
    /// When it expires; null is never.
    #[schema(required, format = DateTime)]
    pub expires_at: Option<String>,
    /// What it is narrowed to; null is everything that its owner may do.
    #[schema(required)]
    pub scopes: Option<Vec<String>>,
    /// Can it only read?
    pub read_only: bool,
    /// The networks that it may be used from, in CIDR notation; null is anywhere.
    #[schema(required)]
    pub allowed_networks: Option<Vec<String>>,
}

impl MeDetail {
    /// The names of the fields that are shown only by name, in the order they are written.
    pub const BY_NAME: [&'static str; 5] = ["is_staff", "is_admin", "is_active", "permissions", "token"];

    /// The names of all fields, in the order they are written.
    pub fn fields() -> Vec<&'static str> {
        Me::FIELDS.iter().copied().chain(Self::BY_NAME).collect()
    }

    /// Shows callers to themselves.
    pub fn new(identity: &Identity, site: &Site) -> Self {
        let (user, token) = (&identity.user, &identity.token);
        Self {
            me: Me::new(user, site),
            is_staff: user.is_staff,
            is_admin: user.is_admin,
            is_active: user.is_active,
            permissions: identity.rights.clone(),
            token: CallingToken {
                id: token.id.get(),
                name: token.name.clone(),
                kind: token.kind.as_str(),
                expires_at: token.expires_at.map(|end| end.to_string()),
                scopes: token.narrowing.scopes.as_ref().map(scope_list),
                read_only: token.narrowing.read_only,
                allowed_networks: token.narrowing.allowed_networks.as_ref().map(Networks::texts),
            },
        }
    }
}
