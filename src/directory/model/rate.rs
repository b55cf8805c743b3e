//! Limits on the number of requests.

use std::time::Duration;

/// A number of requests per window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number of requests, at least one.
    pub requests: u32,
    /// The length of the window, at least a second.
    pub window: Duration,
}

/// The limits that an operator sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of one token.
    pub per_token: Option<Rate>,
    /// Of one client that sends no valid token.
    pub per_address: Option<Rate>,
    /// Of one person's uploads of avatars.
    pub uploads: Option<Rate>,
}
