//! PRIVATE to the directory: the only place that knows SQL.
//!
//! Each file below names one noun and holds its statements, each once, for both databases. The rest is
//! the seam: [`sql`] (a statement), [`row`] (a row), [`sqlite`] and [`postgres`] (who runs it), [`tx`]
//! [`writer`] and [`snapshot`] (transactions), [`long_reads`] (their bounds), [`migrate`] and [`open`] (the schema and its database), [`tables`], [`rows`] and [`carry`] (all rows of all tables, for
//! another database).
//!
//! Never in here: a rule about who may do what, or about what a value may be.

mod carry;
mod fault;
pub(crate) mod foreign;
mod fresh;
mod long_reads;
mod migrate;
mod moving;
mod open;
mod postgres;
mod row;
mod rows;
mod schema;
mod snapshot;
mod sql;
mod sqlite;
pub(super) mod staged;
mod tables;
#[cfg(test)]
pub(super) mod trial;
mod tx;
mod writer;

pub(super) mod attempts;
pub(super) mod audit;
pub(super) mod bulk_load;
pub(super) mod changes;
mod column_list;
pub(super) mod deleted;
pub(super) mod doors;
pub(super) mod encodings;
pub(super) mod export_rows;
pub(super) mod group_list;
pub(super) mod groups;
pub(super) mod health;
pub(super) mod identities;
mod import_rows;
pub(super) mod numbered;
mod paging;
pub(super) mod permissions;
mod plan;
pub(super) mod restoring;
mod search_index;
pub(super) mod tokens;
pub(super) mod user_list;
pub(super) mod users;
mod uses;
pub(super) mod wal_index;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use prometheus_client::metrics::counter::Counter;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

pub(super) use self::fault::StoreError;
use self::long_reads::{LongReads, Place, Stop, too_long};
pub use self::open::OpenError;
pub(super) use self::postgres::Protection;
use self::postgres::{Connections, Server};
pub(super) use self::row::FromRow;
pub(super) use self::sql::Sql;
use self::sqlite::Readers;
use self::tx::Link;
pub(super) use self::tx::Tx;
use self::wal_index::WalIndex;
use self::writer::Writer;
use super::error::Error;
use super::model::Timestamp;
use super::{Location, Settings};

/// Connections to PostgreSQL beside the others, for what every request waits for.
const PROMPT_CONNECTIONS: usize = 2;
/// The longest that such a statement may take.
const PROMPT: Duration = Duration::from_millis(800);

/// Snapshots that are read at once; on PostgreSQL each has a connection beside the others: an export must not keep
/// requests waiting.
const LONG_CONNECTIONS: usize = 4;
/// The longest that one statement of a long read may take, and that it may wait for its turn.
const LONG: Duration = Duration::from_mins(1);

/// How long a migration may take on PostgreSQL before the connection is given up.
const MIGRATION_PATIENCE: Duration = Duration::from_hours(24);

/// The open database.
pub(super) struct Store {
    backend: Backend,
    writer: Writer,
    /// Lists, counts and pages of the audit trail.
    lists: LongReads,
    /// Reads of everything: exports, checks, backups.
    snapshots: LongReads,
    /// Work handed to the writer; a read that counts here has become a write, which a test forbids.
    writes: Counter,
    /// Statements run for reading.
    reads: Counter,
}

/// Which database reads a statement, where the text must differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

#[derive(Clone)]
enum Backend {
    /// Lists have readers of their own, so that the number of either can be bounded.
    Sqlite { readers: Arc<Readers>, list_readers: Arc<Readers>, directory: PathBuf, patience: Duration },
    /// The second pool is for what every request waits for: no list may take its connections. The third is for
    /// long reads, which may take theirs for hours.
    Postgres {
        server: Arc<Server>,
        pool: Connections,
        prompt: Connections,
        long: Pool,
        runtime: Handle,
        patience: Duration,
    },
}

impl Store {
    /// Opens an existing database of this program's version.
    pub(super) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let backend = Backend::new(settings)?;
        let checked = backend.clone();
        let file = matches!(backend, Backend::Sqlite { .. });
        blocking(move || check(&checked))
            .await
            .map_err(|error| if file { error.of_a_file() } else { error })?;
        let writer = Writer::start(backend.clone()).map_err(|error| OpenError::Broken(error.into()))?;
        Ok(Self {
            backend,
            writer,
            lists: LongReads::new(list_places(settings.connections)),
            snapshots: LongReads::new(LONG_CONNECTIONS),
            writes: Counter::default(),
            reads: Counter::default(),
        })
    }

    /// Makes a new, empty database; refuses when there is one.
    pub(super) async fn create(settings: &Settings, now: Timestamp) -> Result<(), OpenError> {
        if let Location::Sqlite(directory) = &settings.location {
            sqlite::create(directory, settings.patience)?;
        }
        let backend = Backend::new(&patient(settings))?;
        blocking(move || create(&backend, now)).await
    }

    /// Upgrades an existing database; tells which versions were applied.
    pub(super) async fn migrate(settings: &Settings, now: Timestamp) -> Result<Vec<i64>, OpenError> {
        let backend = Backend::new(&patient(settings))?;
        blocking(move || migrate::migrate(&initialised(&backend)?, now)).await
    }

    /// All rows of a statement that may take long, such as a list. It waits for a place first, and ends when its
    /// caller is gone or the time is up.
    pub(super) async fn all<T: FromRow>(&self, sql: Sql) -> Result<Vec<T>, Error> {
        self.reads.inc();
        let place = self.lists.place(self.patience()).await?;
        match &self.backend {
            Backend::Sqlite { list_readers, patience, .. } => {
                list(Arc::clone(list_readers), sql, place, Instant::now() + *patience).await
            }
            Backend::Postgres { pool, .. } => Ok(pool.read_long(&sql, place).await?),
        }
    }

    /// Which database this is, for statements whose text must differ.
    pub(super) fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Sqlite { .. } => Dialect::Sqlite,
            Backend::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// The number a counting statement gives. It may take a while, as a list may.
    pub(super) async fn count(&self, sql: Sql) -> Result<u64, Error> {
        let counted = self.all::<i64>(sql).await?.into_iter().next();
        counted.and_then(|count| count.try_into().ok()).ok_or_else(|| StoreError::corrupt("count").into())
    }

    /// The rows of a point look-up. On SQLite it runs in place: microseconds, against the price of a thread
    /// switch.
    pub(super) async fn few<T: FromRow>(&self, sql: Sql) -> Result<Vec<T>, Error> {
        self.reads.inc();
        match &self.backend {
            Backend::Sqlite { readers, .. } => Ok(readers.all(&sql)?),
            Backend::Postgres { pool, .. } => Ok(pool.read(&sql).await?),
        }
    }

    /// The first of them.
    pub(super) async fn first<T: FromRow>(&self, sql: Sql) -> Result<Option<T>, Error> {
        Ok(self.few(sql).await?.into_iter().next())
    }

    /// The rows of a statement that every request may wait for: a point look-up, or a look at the feed of
    /// changes. It must not wait for anything slow.
    pub(super) async fn prompt<T: FromRow>(&self, sql: Sql) -> Result<Vec<T>, Error> {
        match &self.backend {
            Backend::Sqlite { .. } => self.prompt_now(&sql),
            Backend::Postgres { prompt, .. } => {
                self.reads.inc();
                Ok(prompt.read(&sql).await?)
            }
        }
    }

    /// The same in place, which only SQLite can do.
    pub(super) fn prompt_now<T: FromRow>(&self, sql: &Sql) -> Result<Vec<T>, Error> {
        self.reads.inc();
        match &self.backend {
            Backend::Sqlite { readers, .. } => Ok(readers.all(sql)?),
            Backend::Postgres { .. } => {
                Err(Error::broken("a read failed", "PostgreSQL is asked without a wait"))
            }
        }
    }

    /// Refuses to go on when SQLite's file is no longer the one that was opened.
    pub(super) fn check_in_place(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Sqlite { readers, .. } => Ok(readers.check_in_place()?),
            Backend::Postgres { .. } => Ok(()),
        }
    }

    /// What any commit to SQLite's file changes; none on PostgreSQL.
    pub(super) fn wal_index(&self) -> Result<Option<WalIndex>, OpenError> {
        match &self.backend {
            Backend::Sqlite { directory, patience, .. } => {
                Ok(Some(WalIndex::new(sqlite::connect(directory, *patience)?)?))
            }
            Backend::Postgres { .. } => Ok(None),
        }
    }

    /// Does `work` in a transaction and returns when it is durable, or has changed nothing. It may share the
    /// transaction with other work, and be run again when that fails.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.admit_write()?;
        self.writer.write(work).await
    }

    /// The same for work that is too much to be run again: it is run once, in a transaction of its own.
    pub(super) async fn write_alone<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        self.admit_write()?;
        self.writer.write_alone(work).await
    }

    /// What every write begins with.
    fn admit_write(&self) -> Result<(), Error> {
        self.check_in_place()?;
        self.writes.inc();
        Ok(())
    }

    /// How long one statement may wait.
    pub(super) fn patience(&self) -> Duration {
        self.backend.patience()
    }

    /// The counter of reads, for the metrics.
    pub(super) fn reads(&self) -> Counter {
        self.reads.clone()
    }

    /// The counter of writes, for the metrics.
    pub(super) fn writes(&self) -> Counter {
        self.writes.clone()
    }
}

impl Backend {
    fn new(settings: &Settings) -> Result<Self, OpenError> {
        Self::at(&settings.location, settings.connections, settings.patience)
    }

    fn at(location: &Location, connections: usize, patience: Duration) -> Result<Self, OpenError> {
        match location {
            Location::Sqlite(directory) => {
                sqlite::check_library()?;
                sqlite::check_file(directory)?;
                let [readers, list_readers] = [connections, list_places(connections)]
                    .map(|most| Arc::new(Readers::new(directory, patience, most)));
                Ok(Self::Sqlite { readers, list_readers, directory: directory.clone(), patience })
            }
            Location::Postgres(url) => {
                let server = Arc::new(Server::new(url)?);
                // Lists take half of them at the most: a look-up must not wait for a list.
                let pool = Connections::new(&server, connections.max(2), patience)?;
                let prompt = Connections::by_index(&server, PROMPT_CONNECTIONS, patience.min(PROMPT))?;
                let long = server.pool(LONG_CONNECTIONS, LONG)?;
                let runtime = Handle::current();
                Ok(Self::Postgres { server, pool, prompt, long, runtime, patience })
            }
        }
    }

    /// How long one statement may wait.
    fn patience(&self) -> Duration {
        match self {
            Self::Sqlite { patience, .. } | Self::Postgres { patience, .. } => *patience,
        }
    }

    /// A connection for writing; waits, so it belongs on a thread that may.
    fn link(&self) -> Result<Link, StoreError> {
        match self {
            Self::Sqlite { directory, patience, .. } => {
                Ok(Link::Sqlite(sqlite::writer(directory, *patience)?))
            }
            Self::Postgres { server, patience, .. } => Link::postgres(server, *patience),
        }
    }
}

/// How many lists, counts and pages of the audit trail may run at once.
fn list_places(connections: usize) -> usize {
    (connections / 2).max(1)
}

/// Runs a list on a thread that may wait. The thread keeps the place until SQLite has ended the statement.
async fn list<T: FromRow>(
    readers: Arc<Readers>,
    sql: Sql,
    place: Place,
    until: Instant,
) -> Result<Vec<T>, Error> {
    let stop = Stop::at(until);
    let _waiting = stop.with_caller();
    let read = spawn_blocking(move || {
        let _place = place;
        readers.all_until(&sql, &stop)
    });
    match timeout_at(until, read).await {
        Ok(read) => Ok(read.map_err(|error| Error::broken("a read failed", error))??),
        Err(_) => Err(too_long().into()),
    }
}

/// The settings for making or changing a schema, which may take PostgreSQL long.
fn patient(settings: &Settings) -> Settings {
    match &settings.location {
        Location::Postgres(_) => Settings { patience: MIGRATION_PATIENCE, ..settings.clone() },
        Location::Sqlite(_) => settings.clone(),
    }
}

/// The version of the schema that this program works with.
pub(super) fn schema_version() -> i64 {
    migrate::known_version()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    spawn_blocking(work).await.map_err(|error| OpenError::Broken(error.into()))?
}

/// A connection to a database that holds a schema of ours.
fn initialised(backend: &Backend) -> Result<Link, OpenError> {
    let link = backend.link()?;
    match (migrate::is_initialised(&link)?, backend) {
        (true, _) => Ok(link),
        (false, Backend::Sqlite { directory, .. }) => Err(OpenError::HalfMade(sqlite::file(directory))),
        (false, Backend::Postgres { .. }) => Err(OpenError::Uninitialised),
    }
}

fn check(backend: &Backend) -> Result<(), OpenError> {
    if let Backend::Sqlite { readers, .. } = backend {
        readers.check_in_place()?;
    }
    migrate::check(&initialised(backend)?)
}

fn create(backend: &Backend, now: Timestamp) -> Result<(), OpenError> {
    let link = backend.link()?;
    if migrate::is_initialised(&link)? {
        return Err(OpenError::AlreadyThere("the database".to_owned()));
    }
    let made = migrate::migrate(&link, now);
    if let (Err(_), Backend::Sqlite { directory, .. }) = (&made, backend) {
        sqlite::remove(directory);
    }
    link.discard();
    made.map(|_| ())
}
