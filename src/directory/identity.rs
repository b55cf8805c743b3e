//! The confirmed callers: from a presented key to who that is.
//!
//! This is the seam of the identity cache: [`Directory::authenticate`] is the only way to an
//! [`Identity`], and everything that depends on time is decided here, on each request anew, so a cached
//! identity could never outlive its token.

use std::sync::Arc;

use super::error::Error;
use super::model::{Token, TokenDigest, TokenState, User};
use super::{Directory, store};

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

/// Why a key opened nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// Unknown, revoked or expired; which of them is nobody's business.
    #[error("Invalid token.")]
    InvalidToken,
    /// The key is good, its owner is not active.
    #[error("User inactive or deleted.")]
    Inactive,
    /// It could not be found out.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Directory {
    /// Who presented this key? It reads, with one look-up, and never writes.
    pub async fn authenticate(&self, key: &str) -> Result<Arc<Identity>, Unauthenticated> {
        let digest = TokenDigest::of_presented(key).ok_or(Unauthenticated::InvalidToken)?;
        let found: Option<Identity> = self.store.first(store::identities::find(digest)).await?;
        let identity = found.ok_or(Unauthenticated::InvalidToken)?;
        if identity.token.state(self.clock.now()) != TokenState::Active {
            return Err(Unauthenticated::InvalidToken);
        }
        if !identity.user.is_active {
            return Err(Unauthenticated::Inactive);
        }
        Ok(Arc::new(identity))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::directory::model::{Moment, TokenKind};

    /// An active user without any right, and its token.
    pub(crate) fn identity() -> Identity {
        let user = User {
            id: 1.try_into().unwrap(),
            username: "ann".into(),
            mobile_number: None,
            email: None,
            avatar: None,
            first_name: String::new(),
            last_name: String::new(),
            gender: None,
            is_active: true,
            is_staff: false,
            is_admin: false,
            last_login: None,
            last_seen_at: None,
            created_at: Moment::EPOCH,
            updated_at: Moment::EPOCH,
            groups: vec![],
        };
        let token = Token {
            id: 1.try_into().unwrap(),
            user_id: user.id,
            name: "test".into(),
            kind: TokenKind::Api,
            prefix: "wrd_abcd".into(),
            last_four: "wxyz".into(),
            created_at: Moment::EPOCH,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        Identity { token, user, rights: vec![] }
    }
}
