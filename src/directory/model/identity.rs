//! Who is calling: a token, its owner and what the owner may do.

use super::{Token, TokenId, User, UserId};

/// Who is calling: a token, its owner and what the owner may do.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The token that was presented.
    pub token: Token,
    /// Its owner.
    pub user: User,
    /// The codes of the owner's permissions, own and inherited from groups, ascending.
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
    /// Returns the ids of the token and its owner.
    pub fn bearer(&self) -> Bearer {
        Bearer { token: self.token.id, user: self.user.id }
    }
}
