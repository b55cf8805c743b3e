//! Why authentication failed.

use std::net::IpAddr;

use crate::directory::error::Error;
use crate::directory::model::{Bearer, Timestamp, Token, TokenKind};

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
    /// It is a browser session, whose key opens the admin site alone.
    Browser,
}

impl TokenEnd {
    /// Returns why a token with networks may not be used from there.
    pub(super) fn outside(from: Option<IpAddr>) -> Self {
        if from.is_some() { Self::Outside } else { Self::Nowhere }
    }

    /// Returns why a token that is not valid has ended.
    pub(super) fn of(token: &Token, now: Timestamp) -> Self {
        if token.revoked_at.is_some() { Self::Revoked } else { Self::in_time(token.expires_at, now) }
    }

    /// Returns why a token is not valid here at any time; `None` if it may be.
    pub(super) fn never(token: &Token) -> Option<Self> {
        match (token.revoked_at, token.kind) {
            (Some(_), _) => Some(Self::Revoked),
            (None, TokenKind::Browser) => Some(Self::Browser),
            (None, _) => None,
        }
    }

    /// Returns why a token with this expiry has ended by itself.
    pub(super) fn in_time(expires_at: Option<Timestamp>, now: Timestamp) -> Self {
        if expires_at.is_some_and(|end| end <= now) { Self::Expired } else { Self::Idle }
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
