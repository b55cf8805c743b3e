//! Failed sign-ins.

use serde::Serialize;
use utoipa::ToSchema;

use crate::directory::authentication::OpenAttempts;
use crate::directory::model::Timestamp;

/// The failed sign-ins that count against a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailedAttempts {
    /// Where they came from; empty if none count.
    pub failed_attempts: Vec<FailedAttemptsItem>,
}

/// The failed sign-ins from one place.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailedAttemptsItem {
    /// The network, such as an IPv4 address or an IPv6 /64; empty for Unix sockets, null for all networks together that the
    /// user has not signed in from.
    #[schema(required, example = "203.0.113.7/32")]
    pub network: Option<String>,
    /// How many count.
    #[schema(example = 7)]
    pub failures: i64,
    /// Until when the next attempt from there has to wait; null if it need not.
    #[schema(required, value_type = Option<String>, format = "date-time")]
    pub blocked_until: Option<Timestamp>,
}

impl FailedAttempts {
    /// Shows what counts against a user.
    pub fn new(open: Vec<OpenAttempts>) -> Self {
        let shown = |OpenAttempts { network, failures, blocked_until }| FailedAttemptsItem {
            network,
            failures,
            blocked_until,
        };
        Self { failed_attempts: open.into_iter().map(shown).collect() }
    }
}

/// The result of an unlock.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unlocked {
    /// How many failed attempts no longer count.
    #[schema(example = 7)]
    pub failed_attempts: i64,
}
