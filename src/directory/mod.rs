//! The account service itself: users, groups, permissions and tokens, and who may do what.
//!
//! Other rooms use [`Directory`] and the types below. There is one file of use cases for each noun. A use case takes `&Actor`
//! first, checks its right with [`access`], and writes the change together with its [`audit`] event in one transaction. Only
//! this room opens `store`.
//!
//! Use cases are methods of [`Directory`]. The rooms below this file in the order of imports (`identity`, `limiter`,
//! `password`, `store`, ...) are components that know no `Directory`.
//!
//! Never in here: HTTP, status codes, terminal output, settings files.

pub mod access;
pub mod activity;
pub mod audit;
pub mod authentication;
pub mod avatars;
mod bitmaps;
pub mod bulk;
mod change;
pub mod clock;
pub mod error;
mod files;
pub mod groups;
pub mod identity;
mod introspection;
pub mod leaked_keys;
pub mod limiter;
mod lists;
pub mod media_files;
pub mod messages;
pub mod model;
pub mod outbox;
pub mod password;
pub mod permissions;
pub mod progress;
pub mod query;
pub mod recycle_bin;
mod refusals;
mod request_limits;
pub mod saved_views;
mod secret;
pub mod secrets;
pub mod secrets_key;
mod settings;
mod store;
pub mod tokens;
pub mod transfer;
pub mod transfer_error;
mod unique_values;
pub mod users;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

pub use self::access::{Actor, Origin};
use self::bitmaps::UserBitmaps;
pub use self::change::Written;
pub use self::clock::Clock;
pub use self::error::{Denial, Error};
use self::identity::Authenticator;
pub use self::identity::{CachedFor, CachedIdentity, FeedMark, Render, TokenEnd, Unauthenticated};
use self::limiter::{ActivityCounters, RefusalLimiter, RequestLimiter};
pub use self::model::{Bearer, Identity, NamedIdentity};
use self::model::{Channel, CodeLabels, CodeSettings};
use self::password::Hasher;
pub use self::refusals::Refusal;
use self::settings::{ChangePolicy, OutboxPolicy};
pub use self::settings::{LinkSettings, MessageSettings, Settings};
use self::store::Store;
pub use self::store::checkup::CommitSettings;
pub use self::store::health::IntegrityReport;
pub use self::store::statistics::{ContentCounts, TokenCount};
use crate::database::OtherTables;
pub use crate::database::{Location, OpenError};
pub use crate::paths::UnsafePath;

/// An open account database, with everything that the use cases share.
pub struct Directory {
    store: Arc<Store>,
    authenticator: Authenticator,
    bitmaps: UserBitmaps,
    list_timeout: Duration,
    clock: Clock,
    hasher: Hasher,
    sign_in_lifetime: Duration,
    keep_ended_tokens_for: Duration,
    policy: ChangePolicy,
    /// How people sign in with a one-time code, and what was counted of it.
    codes: Option<Arc<CodeSettings>>,
    code_counts: Family<CodeLabels, Counter>,
    /// Wakes the job that decides about codes.
    codes_asked: Notify,
    requests: RequestLimiter,
    /// Limits the audit events of refused requests, and of refused sign-ins.
    refusals: RefusalLimiter,
    refused_sign_ins: RefusalLimiter,
    /// What happened since it was last written.
    activity: ActivityCounters,
    /// The id of this process among the servers on the database.
    server_id: String,
}

/// How far two clocks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    /// The difference that is certain.
    pub apart: Duration,
    /// Whether the database's clock is the later one.
    pub is_database_ahead: bool,
}

/// Counters of expensive work, for the metrics.
pub struct Counters {
    /// Write transactions.
    pub writes: Counter,
    /// Password hashes computed.
    pub password_hashes: Counter,
    /// Statements that read.
    pub reads: Counter,
    /// Identities read from the database because the cache had none that held.
    pub identity_loads: Counter,
    /// Answers that may have been stale, which the operator allows.
    pub stale_answers: Counter,
    /// What happened with one-time codes.
    pub codes: Family<CodeLabels, Counter>,
    /// Bytes of the bitmaps of users; 0 while they do not stand.
    pub list_bitmaps: Gauge,
}

impl Directory {
    /// Opens an existing account database. It never creates one.
    pub async fn open(settings: &Settings, clock: Clock) -> Result<Self, OpenError> {
        let store = Arc::new(Store::open(settings).await?);
        let authenticator = Authenticator::open(&store, settings, &clock)?;
        let hasher = Hasher::new(settings.password_min_length, &settings.password_words);
        let policy = ChangePolicy {
            keep_deleted_for: settings.keep_deleted_for,
            contact_needs_password: settings.contact_needs_password,
            outbox: Some(OutboxPolicy::new(&settings.messages, &clock)),
            links: Arc::new(settings.links.clone()),
        };
        let server_id = clock.request_id();
        let bitmaps = UserBitmaps::new(&store, &clock, settings.list_bitmaps_bytes);
        Ok(Self {
            bitmaps,
            list_timeout: settings.list_timeout,
            store,
            authenticator,
            clock,
            hasher,
            sign_in_lifetime: settings.sign_in_lifetime,
            keep_ended_tokens_for: settings.keep_ended_tokens_for,
            policy,
            codes: settings.codes.clone().map(Arc::new),
            code_counts: Family::default(),
            codes_asked: Notify::new(),
            requests: RequestLimiter::new(settings.rates),
            refusals: RefusalLimiter::default(),
            refused_sign_ins: RefusalLimiter::default(),
            activity: ActivityCounters::default(),
            server_id,
        })
    }

    /// Builds the bitmaps that make lists of users cheap, and keeps them. It never ends. Until they stand, lists read the
    /// database alone.
    pub async fn keep_list_bitmaps(&self) {
        self.bitmaps.keep().await;
    }

    /// Builds these bitmaps now. Returns false if they would take more memory than they may.
    pub async fn build_list_bitmaps(&self) -> Result<bool, Error> {
        self.bitmaps.build().await
    }

    /// The bytes of these bitmaps; `None` if they do not stand.
    pub fn list_bitmaps(&self) -> Option<u64> {
        self.bitmaps.stand().then(|| self.bitmaps.bytes())
    }

    /// Creates an empty account database. It is an error if there is one already, or other files or tables in its place.
    pub async fn create(settings: &Settings, clock: &Clock) -> Result<(), OpenError> {
        Store::create(settings, clock.now(), OtherTables::Refused).await
    }

    /// Creates an empty account database. Tables of other programs may be in the same PostgreSQL database.
    pub async fn create_among_other_tables(settings: &Settings, clock: &Clock) -> Result<(), OpenError> {
        Store::create(settings, clock.now(), OtherTables::Allowed).await
    }

    /// Upgrades an existing account database to this program's schema. Returns the versions that were applied.
    pub async fn migrate(settings: &Settings, clock: &Clock) -> Result<Vec<i64>, OpenError> {
        Store::migrate(settings, clock.now()).await
    }

    /// The clock that all use cases go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The counters, for the metrics.
    pub fn counters(&self) -> Counters {
        Counters {
            writes: self.store.writes(),
            password_hashes: self.hasher.count(),
            reads: self.store.reads(),
            identity_loads: self.authenticator.loads(),
            stale_answers: self.authenticator.stale_answers(),
            codes: self.code_counts.clone(),
            list_bitmaps: self.bitmaps.gauge(),
        }
    }

    /// Counts what happened with a code; the channel of one that belongs to no request is `None`.
    fn count_code(&self, channel: Option<Channel>, result: &'static str) {
        let channel = channel.map_or("none", Channel::name);
        self.code_counts.get_or_create(&CodeLabels { channel, result }).inc();
    }

    /// Checks that keys can be looked up, within a second. Many calls at once cost the database one look-up.
    pub async fn check_look_ups(&self) -> Result<(), Error> {
        self.authenticator.check().await
    }

    /// Notes that a key could not be looked up: the next check does not use an earlier result.
    pub fn note_failed_look_up(&self) {
        self.authenticator.note_failure();
    }

    /// Makes SQLite's file complete without its log. A server calls it last, while connections are still open.
    pub async fn close(&self) -> Result<(), Error> {
        self.store.merge_log().await
    }

    /// Describes the database: its kind, version and place.
    pub async fn describe(&self) -> Result<String, Error> {
        self.store.describe().await
    }

    /// Returns the schema of a PostgreSQL database if every role may create objects in it.
    pub async fn schema_open_to_all(&self) -> Result<Option<String>, Error> {
        self.store.schema_open_to_all().await
    }

    /// Returns the statements that would give the role of a PostgreSQL URL the rights that it lacks, or `None` on SQLite.
    pub async fn missing_grants(&self) -> Result<Option<Vec<String>>, Error> {
        self.store.missing_grants().await
    }

    /// Returns the settings of a PostgreSQL server that let a power cut destroy what was committed, or `None` on SQLite.
    pub async fn unsafe_settings(&self) -> Result<Option<Vec<String>>, Error> {
        self.store.unsafe_settings().await
    }

    /// Counts the content of the database, for the metrics. It reads whole tables.
    pub async fn count_content(&self) -> Result<ContentCounts, Error> {
        self.store.count_content(self.clock.now()).await
    }

    /// Returns the number of the last row of the change feed that this process has read.
    pub fn feed_position(&self) -> i64 {
        self.authenticator.feed_position()
    }

    /// Returns how a PostgreSQL server commits, or `None` on SQLite.
    pub async fn commit_settings(&self) -> Result<Option<CommitSettings>, Error> {
        self.store.commit_settings().await
    }

    /// Returns how far the clocks of this machine and of a PostgreSQL server differ at least. SQLite has no clock.
    pub async fn clock_skew(&self) -> Result<Option<ClockSkew>, Error> {
        let before = self.clock.now().as_micros();
        let Some(there) = self.store.database_clock().await? else { return Ok(None) };
        let after = self.clock.now().as_micros();
        // The other clock was read between the two.
        let apart = before.saturating_sub(there).max(there.saturating_sub(after)).max(0);
        let apart = Duration::from_micros(u64::try_from(apart).unwrap_or(0));
        Ok(Some(ClockSkew { apart, is_database_ahead: there > after }))
    }

    /// Returns how far the newest audit event is in the future: zero, unless a clock was set back or another one is ahead.
    pub async fn newest_event_ahead(&self) -> Result<Duration, Error> {
        let newest = self.store.newest_event().await?.unwrap_or(i64::MIN);
        let ahead = newest.saturating_sub(self.clock.now().as_micros());
        Ok(Duration::from_micros(u64::try_from(ahead).unwrap_or(0)))
    }

    /// Returns the rows that a server could not read, each with the reason. It reads every row.
    pub async fn unreadable_rows(&self) -> Result<Vec<String>, Error> {
        self.store.unreadable_rows().await
    }

    /// Returns the avatars of all users, deleted ones included.
    pub async fn avatars(&self) -> Result<BTreeSet<String>, Error> {
        self.store.avatars().await
    }

    /// Checks the whole database. It may take minutes on a large one.
    pub async fn check_integrity(&self) -> Result<IntegrityReport, Error> {
        self.store.check_integrity().await
    }
}
