//! Who is calling: a token, its owner and what the owner may do.

use super::{Scope, Scopes, Token, TokenId, User, UserId};

/// Who is calling: a token, its owner and what the owner may do with it. Rights and flags are those that are left when the
/// token is narrow: see [`Identity::new`].
#[derive(Clone, Debug)]
pub struct Identity {
    /// The token that was presented.
    pub token: Token,
    /// Its owner. With a token that has scopes, an admin is staff.
    pub user: User,
    /// The codes of the owner's permissions, own and inherited from groups, as far as the token's scopes allow; ascending.
    pub rights: Vec<i64>,
}

/// An identity with the names of the owner's groups.
#[derive(Clone, Debug)]
pub struct NamedIdentity {
    /// The identity.
    pub identity: Identity,
    /// The names, in the order of the groups' ids; empty if they were not requested.
    pub group_names: Vec<String>,
}

/// The owner of a presented token, valid or not: for logs and the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The token.
    pub token: TokenId,
    /// Its owner.
    pub user: UserId,
}

impl Identity {
    /// Narrows an owner with these rights to what the token allows. Only here, so everything that reads an identity sees what
    /// is left: with scopes an admin is staff, with those of the permissions that the scopes name.
    pub fn new(token: Token, mut user: User, mut rights: Vec<i64>) -> Self {
        if let Some(scopes) = &token.narrowing.scopes {
            rights = scopes.codes().filter(|code| user.is_admin || rights.contains(code)).collect();
            user.is_staff |= user.is_admin;
            user.is_admin = false;
        }
        Self { token, user, rights }
    }

    /// Whether the token has this scope. A token without scopes has all.
    pub fn has(&self, scope: Scope) -> bool {
        self.token.narrowing.has(scope)
    }

    /// Returns the scopes that allow something: those of permissions only if the owner has the permission. `None` is a token
    /// without scopes.
    pub fn effective_scopes(&self) -> Option<Scopes> {
        let allows = |scope: &Scope| match scope {
            Scope::MeRead | Scope::MeWrite => true,
            Scope::Permission(code) => self.rights.contains(code),
        };
        let scopes = self.token.narrowing.scopes.as_ref();
        scopes.map(|scopes| scopes.iter().filter(allows).collect())
    }

    /// Returns the ids of the token and its owner.
    pub fn bearer(&self) -> Bearer {
        Bearer { token: self.token.id, user: self.user.id }
    }
}
