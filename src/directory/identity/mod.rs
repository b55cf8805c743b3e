//! From a presented key to the identity behind it, answered from memory where that is safe.
//!
//! The promise: **no answer shows the state before a write that was acknowledged before the request was sent**. Everything
//! that depends on time is decided on each request.
//!
//! [`Authenticator`] is the component. `invalidations` knows which cached entries still hold, and `freshness` brings it up
//! to date (`follower` on SQLite, `read_index` on PostgreSQL). `cached`, `callers` and `inspected` are the caches. `uses`
//! collects when tokens were used, and `idle` decides when an unused sign-in ends. `readiness` answers health checks.
//!
//! Never in here: a use case. `authentication` has them.

mod authenticator;
mod cached;
mod callers;
mod follower;
mod freshness;
mod idle;
mod inspected;
mod invalidations;
mod outage;
mod read_index;
mod readiness;
mod sync;
#[cfg(test)]
pub(crate) mod tests;
mod unauthenticated;
mod uses;

pub(super) use self::authenticator::Authenticator;
pub use self::authenticator::FeedMark;
pub use self::cached::{CachedFor, CachedIdentity, Render};
pub(super) use self::read_index::ReadIndex;
pub use self::unauthenticated::{EndedToken, TokenEnd, Unauthenticated};
/// `tests/interleavings` compiles `invalidations` without the rest of the program; it names this one type of it.
use super::model::IdentityChange;
