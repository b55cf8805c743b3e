//! THE DEEP MODULE: who exists, who may do what, whose token is this.
//!
//! Everyone enters by this front door: [`Directory`] and the types below. Use cases stand in one file
//! per noun; each takes `&Actor` first, asks [`access`] whether it may, and writes the change together
//! with its [`audit`] event in one transaction. Only this module opens `store`.
//!
//! Never in here: HTTP, status codes, terminal output, settings files.

pub mod access;
pub mod audit;
pub mod bulk;
mod change;
pub mod clock;
pub mod error;
mod files;
pub mod groups;
pub mod guard;
pub mod identity;
mod lists;
pub mod model;
pub mod password;
pub mod permissions;
pub mod progress;
pub mod query;
mod rate_limiter;
pub mod recycle_bin;
mod refusals;
mod secret;
mod settings;
pub mod sign_in;
mod store;
pub mod tokens;
pub mod transfer;
pub mod transfer_error;
pub mod users;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

pub use self::access::{Actor, Origin};
pub use self::change::Written;
pub use self::clock::Clock;
pub use self::error::{Denial, Error};
use self::identity::Authenticator;
use self::identity::uses::Uses;
pub use self::identity::{CachedIdentity, Unauthenticated};
use self::model::Rates;
pub use self::model::{Bearer, Identity};
use self::password::Hasher;
use self::rate_limiter::RateLimiter;
pub use self::refusals::Refusal;
use self::settings::ChangePolicy;
pub use self::settings::Settings;
use self::store::Store;
/// The reader of databases that are not ours, for [`crate::switchover`].
pub use self::store::health::Faults;
pub use crate::database::{Location, OpenError};
pub use crate::paths::Unsafe;

/// The directory, open and ready.
pub struct Directory {
    store: Arc<Store>,
    authenticator: Authenticator,
    uses: Uses,
    clock: Clock,
    hasher: Hasher,
    sign_in_lifetime: Duration,
    keep_ended_tokens_for: Duration,
    policy: ChangePolicy,
    rates: Rates,
    rate_counts: guard::rates::Counts,
    /// How many refused requests, and refused sign-ins, are noted in the audit trail.
    refusals: RateLimiter,
    refused_sign_ins: RateLimiter,
}

/// Counters of work that costs, for the metrics.
pub struct Counters {
    /// Transactions that were asked to write.
    pub writes: Counter,
    /// Password hashes computed.
    pub password_hashes: Counter,
    /// Statements that were asked to read.
    pub reads: Counter,
    /// Identities read from the database, because memory had none that held.
    pub identity_loads: Counter,
    /// Answers that may have been stale, by the operator's leave.
    pub stale_answers: Counter,
}

impl Directory {
    /// Opens an existing directory. It never makes one.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, OpenError> {
        let store = Arc::new(Store::open(settings).await?);
        let authenticator = Authenticator::open(&store, settings)?;
        let hasher = Hasher::new(settings.password_min_length, &settings.password_words);
        let policy = ChangePolicy {
            keep_deleted_for: settings.keep_deleted_for,
            contact_needs_password: settings.contact_needs_password,
        };
        let uses = Uses::default();
        Ok(Self {
            store,
            authenticator,
            uses,
            clock,
            hasher,
            sign_in_lifetime: settings.sign_in_lifetime,
            keep_ended_tokens_for: settings.keep_ended_tokens_for,
            policy,
            rates: settings.rates,
            rate_counts: guard::rates::Counts::default(),
            refusals: RateLimiter::default(),
            refused_sign_ins: RateLimiter::default(),
        })
    }

    /// Makes a new, empty directory; refuses when there is one, or other files in its place.
    pub async fn create(settings: &Settings, clock: &Clock) -> Result<(), OpenError> {
        Store::create(settings, clock.now()).await
    }

    /// Upgrades an existing directory to this program's schema; tells which versions were applied.
    pub async fn migrate(settings: &Settings, clock: &Clock) -> Result<Vec<i64>, OpenError> {
        Store::migrate(settings, clock.now()).await
    }

    /// The clock every part of this directory goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The counters this directory keeps, shared with whoever shows them.
    pub fn counters(&self) -> Counters {
        Counters {
            writes: self.store.writes(),
            password_hashes: self.hasher.count(),
            reads: self.store.reads(),
            identity_loads: self.authenticator.loads(),
            stale_answers: self.authenticator.stale_answers(),
        }
    }

    /// Whether the database can be asked now.
    pub async fn ping(&self) -> Result<(), Error> {
        self.store.ping().await
    }

    /// What the database is, in words.
    pub async fn describe(&self) -> Result<String, Error> {
        self.store.describe().await
    }

    /// The schema of a PostgreSQL database in which every role may make objects, if it is so.
    pub async fn schema_open_to_all(&self) -> Result<Option<String>, Error> {
        self.store.schema_open_to_all().await
    }

    /// Reads the whole database and tells what is wrong with it. It may take minutes on a large one.
    pub async fn faults(&self) -> Result<Faults, Error> {
        self.store.faults().await
    }
}
