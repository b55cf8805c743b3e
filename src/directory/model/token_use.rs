//! When and from where a token was used.

use std::net::IpAddr;

use super::{Timestamp, TokenId, UserId};

/// The last use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::directory) struct TokenUse {
    pub(in crate::directory) token: TokenId,
    pub(in crate::directory) user: UserId,
    pub(in crate::directory) at: Timestamp,
    /// The address, if it is known.
    pub(in crate::directory) from: Option<IpAddr>,
}
