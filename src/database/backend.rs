//! The location of a database, the options for opening it, and its connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::runtime::Handle;

use super::error::DatabaseError;
use super::link::Link;
use super::log_watch::merge_log;
use super::long_reads::{LONG_READ_TIMEOUT, MAX_SNAPSHOTS};
use super::migrate;
use super::open::OpenError;
use super::postgres::{self, PostgresServer, ReadPool};
use super::sqlite::{self, Readers};
use crate::postgres_url::{PostgresUrl, Protection};

/// Additional PostgreSQL connections for reads that every request waits for.
const PRIORITY_CONNECTIONS: usize = 2;
/// The time limit of each of these reads.
const PRIORITY_TIMEOUT: Duration = Duration::from_millis(800);

/// How long one statement of a migration may take on PostgreSQL.
pub(crate) const MIGRATION_TIMEOUT: Duration = Duration::from_hours(24);

/// The location of a database.
#[derive(Clone)]
pub enum Location {
    /// A SQLite file in this data directory.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database. The URL may contain a password.
    Postgres(String),
}

impl Location {
    /// Returns the host to which the URL explicitly allows unencrypted connections, if there is one.
    pub fn clear_text_host(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(url) => match PostgresUrl::parse(url).map(|url| url.protection()) {
                Ok(Protection::Disabled(host)) => Some(host),
                _ => None,
            },
        }
    }
}

/// How to open a database.
#[derive(Clone)]
pub(crate) struct ConnectOptions {
    /// The location of the database.
    pub(crate) location: Location,
    /// The size of the connection pool for reads.
    pub(crate) connections: usize,
    /// The time limit of one statement.
    pub(crate) timeout: Duration,
}

impl ConnectOptions {
    /// Returns the options for creating or upgrading a schema. A migration may take long on PostgreSQL.
    pub(super) fn for_migrations(&self) -> Self {
        match &self.location {
            Location::Postgres(_) => Self { timeout: MIGRATION_TIMEOUT, ..self.clone() },
            Location::Sqlite(_) => self.clone(),
        }
    }
}

/// The connections to one of the two databases.
#[derive(Clone)]
pub(crate) enum Backend {
    /// Lists have readers of their own, so that each number can be limited separately.
    Sqlite { readers: Arc<Readers>, list_readers: Arc<Readers>, directory: PathBuf, timeout: Duration },
    /// `points` is for look-ups; at most half of it may read short lists with one plan. `priority` is for reads that every
    /// request waits for. `long` is for snapshots, which may keep their connections for hours.
    Postgres {
        server: Arc<PostgresServer>,
        lists: ReadPool,
        points: ReadPool,
        priority: ReadPool,
        long: Pool,
        runtime: Handle,
        timeout: Duration,
    },
}

impl Backend {
    pub(super) fn new(options: &ConnectOptions) -> Result<Self, OpenError> {
        Self::at(&options.location, options.connections, options.timeout)
    }

    /// Prepares the connections to a database. The first statement opens the connection to PostgreSQL.
    pub(crate) fn at(location: &Location, connections: usize, timeout: Duration) -> Result<Self, OpenError> {
        match location {
            Location::Sqlite(directory) => {
                sqlite::check_library()?;
                sqlite::check_file(directory)?;
                let [readers, list_readers] = [connections, max_lists(connections)]
                    .map(|max_idle| Arc::new(Readers::new(directory, timeout, max_idle)));
                Ok(Self::Sqlite { readers, list_readers, directory: directory.clone(), timeout })
            }
            Location::Postgres(url) => {
                let server = Arc::new(PostgresServer::new(url)?);
                server.watch_hosts();
                let lists = ReadPool::new(&server, max_lists(connections), timeout)?;
                let points = ReadPool::for_look_ups(&server, look_ups(connections), timeout)?;
                let priority =
                    ReadPool::for_look_ups(&server, PRIORITY_CONNECTIONS, timeout.min(PRIORITY_TIMEOUT))?;
                let long = server.pool(MAX_SNAPSHOTS, LONG_READ_TIMEOUT)?;
                let runtime = Handle::current();
                Ok(Self::Postgres { server, lists, points, priority, long, runtime, timeout })
            }
        }
    }

    /// Returns the time limit of one statement.
    pub(crate) fn timeout(&self) -> Duration {
        match self {
            Self::Sqlite { timeout, .. } | Self::Postgres { timeout, .. } => *timeout,
        }
    }

    /// Returns a number that changes with each failover of PostgreSQL, before a statement is answered by the new primary. What
    /// was read before may have been lost with the old one.
    pub(crate) fn history(&self) -> u64 {
        match self {
            Self::Sqlite { .. } => 0,
            Self::Postgres { server, .. } => server.history(),
        }
    }

    /// Fails if a new database would share PostgreSQL's database, or the schema that the URL names, with other tables.
    pub(crate) fn refuse_other_tables(&self, link: &Link) -> Result<(), OpenError> {
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { server, .. } => postgres::other_tables::refuse(link, server.names_schema()),
        }
    }

    /// Notes that SQLite's file is damaged. From then on its log is left as it is.
    pub(crate) fn note_damage(&self) {
        if let Self::Sqlite { readers, .. } = self {
            readers.note_damage();
        }
    }

    /// Returns whether SQLite's file was found damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        match self {
            Self::Sqlite { readers, list_readers, .. } => readers.is_damaged() || list_readers.is_damaged(),
            Self::Postgres { .. } => false,
        }
    }

    /// Copies SQLite's log into the file, unless the file is damaged. It blocks the calling thread.
    pub(crate) fn merge_log(&self) {
        let Self::Sqlite { readers, list_readers, directory, .. } = self else { return };
        readers.close_idle();
        list_readers.close_idle();
        if self.is_damaged() {
            return;
        }
        if let Err(error) = merge_log(directory) {
            tracing::warn!(%error, "could not copy SQLite's log into the file: keep both");
        }
    }

    /// Opens a connection for writing. It blocks the calling thread.
    pub(crate) fn link(&self) -> Result<Link, DatabaseError> {
        self.link_within(self.timeout())
    }

    /// Does the same. Connecting to PostgreSQL takes at most `limit`.
    pub(super) fn link_within(&self, limit: Duration) -> Result<Link, DatabaseError> {
        match self {
            Self::Sqlite { directory, timeout, .. } => {
                Ok(Link::Sqlite(sqlite::connect_writer(directory, *timeout)?))
            }
            Self::Postgres { server, timeout, .. } => Link::postgres(server, *timeout, limit),
        }
    }
}

/// Returns how many lists, counts and pages may run at once.
pub(super) fn max_lists(connections: usize) -> usize {
    (connections / 2).max(1)
}

/// Returns how many of PostgreSQL's connections are for look-ups.
pub(super) fn look_ups(connections: usize) -> usize {
    connections.saturating_sub(max_lists(connections)).max(1)
}

/// Opens a connection to a database that contains this program's schema.
pub(crate) fn connect_initialised(backend: &Backend) -> Result<Link, OpenError> {
    let link = backend.link()?;
    match (migrate::is_initialised(&link)?, backend) {
        (true, _) => Ok(link),
        (false, Backend::Sqlite { directory, .. }) => Err(sqlite::unfinished(directory)),
        (false, Backend::Postgres { .. }) => Err(OpenError::Uninitialised),
    }
}
