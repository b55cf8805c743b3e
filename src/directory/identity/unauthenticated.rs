//! Why authentication failed.

use std::net::IpAddr;

use crate::directory::error::Error;
use crate::directory::model::{Bearer, Timestamp};

/// Why authentication failed.
#[derive(Debug, thiserror::Error)]
pub enum Unauthenticated {
    /// The token is unknown (`None`), it has ended, or it may not be used from here. The client does not learn which.
    #[error("Invalid token.")]
    InvalidToken(Option<EndedToken>),
    /// The token is valid, but its owner is not active.
    #[error("User inactive or deleted.")]
    Inactive(Bearer),
    /// The check itself failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// A token that is known and not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedToken {
    /// The token and its owner.
    pub bearer: Bearer,
    /// Why it is not valid.
    pub why: TokenEnd,
}

/// Why a token is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenEnd {
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
    /// It is the token of a sign-in and was not used for as long as the setting allows.
    Idle,
    /// The request came from outside the networks that it may be used from.
    Outside,
    /// It may be used from some networks only, and it is not known where the request came from.
    Nowhere,
}

impl TokenEnd {
    /// Returns why a token with networks may not be used from there.
    pub(super) fn outside(from: Option<IpAddr>) -> Self {
        if from.is_some() { Self::Outside } else { Self::Nowhere }
    }

    /// Returns why a token that is not valid has ended.
    pub(super) fn of(is_revoked: bool, expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        match expires_at {
            _ if is_revoked => Self::Revoked,
            Some(end) if end <= now => Self::Expired,
            _ => Self::Idle,
        }
    }
}

impl Unauthenticated {
    /// Returns the token and its owner, if they are known.
    pub fn bearer(&self) -> Option<Bearer> {
        match self {
            Self::InvalidToken(ended) => ended.map(|ended| ended.bearer),
            Self::Inactive(bearer) => Some(*bearer),
            Self::Failed(_) => None,
        }
    }
}
