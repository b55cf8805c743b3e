//! THE DEEP MODULE: who exists, who may do what, whose token is this.
//!
//! Everyone enters by this front door: [`Directory`] and the types below. Use cases stand in one file
//! per noun; each takes `&Actor` first, asks [`access`] whether it may, and writes the change together
//! with its [`audit`] event in one transaction. Only this module opens `store`.
//!
//! Never in here: HTTP, status codes, terminal output, settings files.

pub mod access;
pub mod audit;
pub mod backup;
pub mod bulk;
mod change;
pub mod clock;
pub mod error;
pub mod export;
mod files;
pub mod groups;
pub mod guard;
pub mod identity;
pub mod listing;
pub mod model;
pub mod moving;
pub mod password;
mod paths;
pub mod permissions;
mod rate_limiter;
pub mod recycle_bin;
mod refusals;
mod secret;
pub mod sign_in;
mod store;
pub mod tokens;
pub mod transfer;
pub mod trouble;
pub mod users;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

pub use self::access::{Actor, Origin};
use self::change::Rules;
pub use self::change::Written;
pub use self::clock::Clock;
pub use self::error::{Denial, Error};
use self::guard::rates::Rates;
use self::identity::Authenticator;
use self::identity::uses::Uses;
pub use self::identity::{Bearer, CachedIdentity, Identity, Unauthenticated};
use self::password::Hasher;
pub use self::paths::Unsafe;
use self::rate_limiter::RateLimiter;
pub use self::refusals::Refusal;
pub use self::store::OpenError;
use self::store::Store;
/// The reader of databases that are not ours, for [`crate::switchover`].
pub(crate) use self::store::foreign;
pub use self::store::health::Faults;

/// Where the directory is kept.
#[derive(Clone)]
pub enum Location {
    /// A SQLite file in this data directory.
    Sqlite(PathBuf),
    /// A PostgreSQL database, by its URL; the URL may hold a password.
    Postgres(String),
}

impl Location {
    /// The host to which passwords and tokens' digests travel unprotected, as its URL says is meant.
    pub fn clear_text_host(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(url) => match store::Protection::of(url) {
                Ok(store::Protection::Disabled(host)) => Some(host),
                _ => None,
            },
        }
    }
}

/// What opening a directory needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Where it is kept.
    pub location: Location,
    /// Connections of this process to PostgreSQL, at the most.
    pub connections: usize,
    /// How long one statement may wait for the database.
    pub patience: Duration,
    /// The shortest password that is accepted, in Unicode code points.
    pub password_min_length: usize,
    /// Words on which a new password may not be built.
    pub password_words: Vec<String>,
    /// How long a token lives that a sign-in makes.
    pub sign_in_lifetime: Duration,
    /// How long such a token may go unused; none at all is for ever.
    pub sign_in_idle_timeout: Duration,
    /// How long tokens that were revoked or have expired stay listed.
    pub keep_ended_tokens_for: Duration,
    /// How long deleted users can be brought back; none at all removes them for good.
    pub keep_deleted_for: Duration,
    /// Whether a person's own e-mail address and mobile number change only with their password.
    pub contact_needs_password: bool,
    /// How often anybody may ask.
    pub rates: Rates,
    /// How many bytes of identities are kept in memory; none keeps nothing.
    pub identity_cache_bytes: u64,
    /// How long identities in memory are answered when the database cannot be asked.
    pub serve_stale_for: Duration,
}

/// The directory, open and ready.
pub struct Directory {
    store: Arc<Store>,
    authenticator: Authenticator,
    uses: Uses,
    clock: Clock,
    hasher: Hasher,
    sign_in_lifetime: Duration,
    keep_ended_tokens_for: Duration,
    rules: Rules,
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
        let rules = Rules {
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
            rules,
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
