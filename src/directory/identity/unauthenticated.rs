//! Why authentication failed.

use crate::directory::error::Error;
use crate::directory::model::Bearer;

/// Why authentication failed.
#[derive(Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// The token is unknown, revoked or expired. The client does not learn which; a known token has its bearer here.
    #[error("Invalid token.")]
    InvalidToken(Option<Bearer>),
    /// The token is valid, but its owner is not active.
    #[error("User inactive or deleted.")]
    Inactive(Bearer),
    /// The check itself failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Unauthenticated {
    /// Returns the token and its owner, if they are known.
    pub fn bearer(&self) -> Option<Bearer> {
        match self {
            Self::InvalidToken(bearer) => *bearer,
            Self::Inactive(bearer) => Some(*bearer),
            Self::Failed(_) => None,
        }
    }
}
