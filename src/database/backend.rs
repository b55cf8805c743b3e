//! Which database is open, where it is, and its connections.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::runtime::Handle;

use super::error::DatabaseError;
use super::long_reads::{LONG, LONG_CONNECTIONS};
use super::migrate;
use super::open::OpenError;
use super::postgres::{Connections, Protection, Server};
use super::sqlite::{self, Readers};
use super::tx::Link;

/// PostgreSQL connections beside the others, for reads that every request waits for.
const PRIORITY_CONNECTIONS: usize = 2;
/// The longest that such a statement may take.
const PRIORITY_TIMEOUT: Duration = Duration::from_millis(800);

/// How long a migration may take on PostgreSQL before the connection is given up.
pub(crate) const MIGRATION_TIMEOUT: Duration = Duration::from_hours(24);

/// Where the database is.
#[derive(Clone)]
pub enum Location {
    /// A SQLite file in this data directory.
    Sqlite(PathBuf),
    /// A PostgreSQL database, by its URL; the URL may hold a password.
    Postgres(String),
}

impl Location {
    /// Returns the host to which the URL explicitly allows unencrypted connections, if it does.
    pub fn clear_text_host(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(url) => match Protection::of(url) {
                Ok(Protection::Disabled(host)) => Some(host),
                _ => None,
            },
        }
    }
}

/// How a database is opened.
#[derive(Clone)]
pub(crate) struct Options {
    /// Where it is.
    pub(crate) location: Location,
    /// Connections of this process to PostgreSQL, at most.
    pub(crate) connections: usize,
    /// How long one statement may wait for the database.
    pub(crate) timeout: Duration,
}

impl Options {
    /// Returns the options for creating or upgrading a schema, which may take long on PostgreSQL.
    pub(super) fn for_migrations(&self) -> Self {
        match &self.location {
            Location::Postgres(_) => Self { timeout: MIGRATION_TIMEOUT, ..self.clone() },
            Location::Sqlite(_) => self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) enum Backend {
    /// Lists have readers of their own, so that the number of either can be bounded.
    Sqlite { readers: Arc<Readers>, list_readers: Arc<Readers>, directory: PathBuf, timeout: Duration },
    /// The second pool is for what every request waits for: no list may take its connections. The third is for
    /// long reads, which may keep theirs for hours.
    Postgres {
        server: Arc<Server>,
        pool: Connections,
        priority: Connections,
        long: Pool,
        runtime: Handle,
        timeout: Duration,
    },
}

impl Backend {
    pub(super) fn new(options: &Options) -> Result<Self, OpenError> {
        Self::at(&options.location, options.connections, options.timeout)
    }

    /// Prepares the connections to a database; PostgreSQL is connected to by the first statement.
    pub(crate) fn at(location: &Location, connections: usize, timeout: Duration) -> Result<Self, OpenError> {
        match location {
            Location::Sqlite(directory) => {
                sqlite::check_library()?;
                sqlite::check_file(directory)?;
                let [readers, list_readers] = [connections, list_places(connections)]
                    .map(|most| Arc::new(Readers::new(directory, timeout, most)));
                Ok(Self::Sqlite { readers, list_readers, directory: directory.clone(), timeout })
            }
            Location::Postgres(url) => {
                let server = Arc::new(Server::new(url)?);
                // Lists take at most half of them: a look-up must not wait for a list.
                let pool = Connections::new(&server, connections.max(2), timeout)?;
                let priority =
                    Connections::by_index(&server, PRIORITY_CONNECTIONS, timeout.min(PRIORITY_TIMEOUT))?;
                let long = server.pool(LONG_CONNECTIONS, LONG)?;
                let runtime = Handle::current();
                Ok(Self::Postgres { server, pool, priority, long, runtime, timeout })
            }
        }
    }

    /// Returns how long one statement may wait.
    pub(crate) fn timeout(&self) -> Duration {
        match self {
            Self::Sqlite { timeout, .. } | Self::Postgres { timeout, .. } => *timeout,
        }
    }

    /// Opens a connection for writing. It blocks.
    pub(crate) fn link(&self) -> Result<Link, DatabaseError> {
        match self {
            Self::Sqlite { directory, timeout, .. } => Ok(Link::Sqlite(sqlite::writer(directory, *timeout)?)),
            Self::Postgres { server, timeout, .. } => Link::postgres(server, *timeout),
        }
    }
}

/// Returns how many lists, counts and pages may run at once.
pub(super) fn list_places(connections: usize) -> usize {
    (connections / 2).max(1)
}

/// Opens a connection to a database that has a schema of ours.
pub(crate) fn initialised(backend: &Backend) -> Result<Link, OpenError> {
    let link = backend.link()?;
    match (migrate::is_initialised(&link)?, backend) {
        (true, _) => Ok(link),
        (false, Backend::Sqlite { directory, .. }) => Err(OpenError::HalfMade(sqlite::file(directory))),
        (false, Backend::Postgres { .. }) => Err(OpenError::Uninitialised),
    }
}
