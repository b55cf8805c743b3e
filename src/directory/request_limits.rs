//! Counting requests against the limits that the operator sets.

use std::net::IpAddr;

use super::Directory;
use super::error::Error;
use super::limiter::RateLimitStatus;
use super::model::TokenId;

impl Directory {
    /// Counts a request with a valid token; `None` where tokens are not limited.
    pub fn count_token(&self, token: TokenId) -> Option<RateLimitStatus> {
        self.requests.count_token(token, || self.clock.now())
    }

    /// Counts a request without one; `None` where clients are not limited. Clients without an address count as one.
    pub fn count_address(&self, address: impl Into<Option<IpAddr>>) -> Option<RateLimitStatus> {
        self.requests.count_address(address, || self.clock.now())
    }

    /// Whether a client without a valid token is over its limit. It counts nothing.
    pub fn is_address_over(&self, address: Option<IpAddr>) -> bool {
        self.requests.is_address_over(address, self.clock.now())
    }

    /// Adds the counts of this process to those of all processes, and learns the sums.
    pub async fn share_rates(&self) -> Result<(), Error> {
        self.requests.share(&self.store, self.clock.now()).await
    }
}
