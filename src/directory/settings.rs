//! The settings of an account database and of the rules that its use cases follow.

use std::time::Duration;

use super::model::Rates;
use crate::database::Location;

/// The settings that opening an account database needs.
#[derive(Clone)]
pub struct Settings {
    /// Where it is kept.
    pub location: Location,
    /// The most connections of this process to PostgreSQL.
    pub connections: usize,
    /// How long one statement may wait for the database.
    pub timeout: Duration,
    /// The shortest password that is accepted, in Unicode code points.
    pub password_min_length: usize,
    /// Words on which a new password may not be built.
    pub password_words: Vec<String>,
    /// How long a token lives that a sign-in makes.
    pub sign_in_lifetime: Duration,
    /// How long such a token may go unused; zero means without limit.
    pub sign_in_idle_timeout: Duration,
    /// How long revoked and expired tokens stay listed.
    pub keep_ended_tokens_for: Duration,
    /// How long deleted users and groups can be restored; zero removes them permanently at once.
    pub keep_deleted_for: Duration,
    /// Whether a person's own e-mail address and mobile number change only with their password.
    pub contact_needs_password: bool,
    /// The limits on requests.
    pub rates: Rates,
    /// The most bytes of identities kept in memory; zero keeps none.
    pub identity_cache_bytes: u64,
    /// How long cached identities are answered while the database is unavailable.
    pub serve_stale_for: Duration,
    /// The most bytes of bitmaps of users for lists; zero keeps none.
    pub list_bitmaps_bytes: u64,
    /// How long a list of users may take.
    pub list_timeout: Duration,
}

/// The settings that decide what a change may do. Work that follows none, such as an import, uses the default.
#[derive(Clone, Copy, Default)]
pub(super) struct ChangePolicy {
    /// How long deleted users and groups can be restored; zero removes them permanently at once.
    pub(super) keep_deleted_for: Duration,
    /// Whether a person's own e-mail address and mobile number change only with their password.
    pub(super) contact_needs_password: bool,
}
